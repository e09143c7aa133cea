"""How many digits a number deserves: those its interval leaves, in every table, figure and
sentence.

A measured value is printed to the decimal at which its half-width has its first digit, or its
second where that first digit is 1: 19.47 +- 0.63 is "19.5", 19.47 +- 0.13 is "19.47". A value
without an interval (Gflops, parameters) is exact, and keeps as many digits as tell it from its
neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from harness.analysis.intervals import Interval

MOST = 12  # decimals; beyond that a double says nothing


def decimals(half_width: float | None, fallback: int = 2) -> int:
    """Digits after the point that a half-width leaves; negative: whole tens, hundreds.

    `fallback` where there is none (null, NaN, infinite) or where it is 0.
    """
    if half_width is None or not math.isfinite(half_width) or half_width <= 0:
        return fallback
    size = math.floor(math.log10(half_width))
    leading = half_width / 10.0**size
    # 0.96 rounds to 1.0: the digit that is printed decides, not the one before rounding.
    if round(leading, 9) >= 9.5:
        size, leading = size + 1, 1.0
    return min(MOST, (1 if leading < 1.95 else 0) - size)


def at_places(value: float, places: int) -> str:
    """`value` at so many decimals (negative: rounded to tens, hundreds), thousands separated."""
    rounded_value = round(value, places) + 0.0  # + 0.0: no "-0.0"
    return f"{rounded_value:,.{max(0, places)}f}"


def rounded(interval: Interval) -> tuple[str, str, str]:
    """(value, low, high) at the digits that the interval leaves; an open limit is "inf".

    An end that is not 0 of an interval without 0 is not rounded to 0: a difference that is told
    from 0 would read as one that is not.
    """
    if interval.known:
        places = decimals(interval.half_width)
    else:
        sides = [abs(limit - interval.value) for limit in (interval.low, interval.high)]
        places = decimals(min((s for s in sides if math.isfinite(s)), default=None))
    near = min(abs(interval.low), abs(interval.high))
    if interval.low * interval.high > 0 and near < 10.0**-places / 2:
        needed = -math.floor(math.log10(near))
        places = needed if needed <= min(MOST, places + 2) else places
    low, high = (
        at_places(limit, places) if math.isfinite(limit) else str(limit)
        for limit in (interval.low, interval.high)
    )
    return at_places(interval.value, places), low, high


def apart(values: Iterable[float], significant: int = 3) -> list[str]:
    """Exact values as texts of one number of decimals, the fewest at which unequal ones differ.

    At least `significant` digits of the smallest that is not 0: 118.64, 118.56 and 119.37 are
    "118.64", "118.56" and "119.37", not thrice "119". Values equal to nine digits count as equal.
    """
    numbers = [float(v) for v in values]
    finite = [abs(v) for v in numbers if math.isfinite(v) and v != 0]
    places = max(0, significant - 1 - math.floor(math.log10(min(finite)))) if finite else 0
    places = min(places, MOST)
    unequal = {float(f"{v:.9g}") for v in numbers if math.isfinite(v)}
    while places < MOST and len({at_places(v, places) for v in unequal}) < len(unequal):
        places += 1
    return [at_places(v, places) if math.isfinite(v) else str(v) for v in numbers]
