"""Numbers as text, and the words a number deserves: sentences that stay true whatever it is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

DASH = "–"  # for a cell without a value
SURE = 1e-6  # of the value: a narrower interval is rounding, and twelve digits would follow
P_LEAST = 1e-15  # a smaller p-value says what no distribution of errors is known to
FAR = 3.0  # between the ends of a ratio's interval: from here on each has its own decimals
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: Any, digits: int = 3) -> str:
    """Three significant digits, thousands separated, a true minus; a dash for a missing value."""
    if value is None or not math.isfinite(float(value)):
        return DASH
    value = float(value)
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 6:
        return power(value)
    text = f"{value:,.{max(0, digits - 1 - size)}f}"
    return text.replace("-", "−")


def power(value: float) -> str:
    """Scientific: "2.4×10⁷"; "10⁷" for a power of ten."""
    size = math.floor(math.log10(abs(value)) + 1e-12)
    mantissa = value / 10**size
    raised = f"10{str(size).translate(_SUPERSCRIPT)}"
    if math.isclose(mantissa, 1):
        return raised
    return f"{mantissa:.2g}×{raised}".replace("-", "−")


def p_value(p: Any) -> str:
    """Two digits, "< 10⁻¹⁵" below what can be known; a dash where nothing was tested."""
    if p is None or not math.isfinite(float(p)):
        return DASH
    return f"< {power(P_LEAST)}" if float(p) < P_LEAST else number(p, 2)


def signed(value: float) -> str:
    """Two decimals with a true minus; a third where two would round up to a whole ±1."""
    text = f"{value:.2f}"
    if abs(value) < 1 and text.endswith("1.00"):
        text = f"{value:.3f}" if abs(value) < 0.9995 else f"{math.trunc(value * 1000) / 1000:.3f}"
    return text.replace("-", "−")


def spread(value: Any, std: Any) -> str:
    """ "51.2 ± 1.3", or the value alone where there is no spread."""
    if std is None or not math.isfinite(float(std)) or value is None:
        return number(value)
    decimals = max(0, 2 - math.floor(math.log10(abs(float(value))))) if value else 2
    return f"{number(value)} ± {float(std):.{decimals}f}"


def count(n: int, one: str, many: str | None = None) -> str:
    """ "1 model", "12 models"; thousands separated."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def at(step: int | None) -> str:
    """ "at step 2,000"; imported checkpoints may not say theirs."""
    return "at an unknown training step" if step is None else f"at step {step:,}"


def listed(words: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    items = list(words)
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + f" and {items[-1]}"


def small_ints(n: int) -> str:
    """Numbers to twelve in words, as in running text."""
    words = [
        "no",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ]
    return words[n] if n < len(words) else f"{n:,}"


def gflops_unit(largest: float) -> tuple[str, float]:
    """(unit, Gflops in one unit): micro models are counted in Mflops, others in Gflops."""
    return ("Mflops", 1e-3) if largest < 0.1 else ("Gflops", 1.0)


def parameters(n: Any) -> str:
    """Parameters as "675 M" or "48.2 k"."""
    if n is None or not math.isfinite(float(n)):
        return DASH
    n = float(n)
    return f"{number(n / 1e6)} M" if n >= 1e6 else f"{number(n / 1e3)} k"


def within(value: Any, low: Any = None, high: Any = None) -> str:
    """ "19.5 [18.9, 20.1]" with the digits that the interval leaves; without one the value."""
    from harness.analysis.digits import rounded
    from harness.analysis.intervals import Interval

    if value is None or not math.isfinite(float(value)):
        return DASH
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return number(value)
    if not high - low > SURE * abs(value):
        return number(value)
    texts = rounded(Interval(float(value), float(low), float(high)))
    middle, bottom, top = (t.replace("-", "−") for t in texts)
    return f"{middle} [{bottom}, {top}]"


def ratio(value: Any, low: Any = None, high: Any = None) -> str:
    """ "1.02 [0.97, 1.08]", a ratio; two digits each where the interval's ends are far apart.

    An interval of a ratio is one of its logarithm. Where its ends differ by more than a factor of
    three, no number of decimals suits both: "0.021 [0.00052, 90]", and not "0 [0, 90]".
    """
    ends = [math.nan if v is None or v != v else float(v) for v in (low, high)]
    if value is None or not float(value) > 0 or not 0 < ends[0] < ends[1]:
        return within(value, low, high)
    if ends[1] / ends[0] <= FAR:
        return within(value, low, high)
    middle, bottom, top = (at_most_two(v) for v in (float(value), *ends))
    return f"{middle} [{bottom}, {top}]"


def at_most_two(value: float) -> str:
    """Two significant digits; whole tens and hundreds without a fraction; "∞" has none."""
    if math.isinf(value):
        return "∞"
    size = math.floor(math.log10(abs(value)))
    if size < 2:
        return number(value, 2)
    return number(round(value, 1 - size), 2)


def metric_word(title: str) -> str:
    """A metric's title without what follows in brackets, for narrow axes."""
    return title.partition(" (")[0]


def cell(value: Any, low: Any = None, high: Any = None) -> str:
    """ "19.5 ± 0.6" for a table: ± is half the interval, and the digits follow from it."""
    from harness.analysis.digits import at_places, decimals

    if value is None or not math.isfinite(float(value)):
        return DASH
    ends = [math.nan if v is None or v != v else float(v) for v in (low, high)]
    half = (ends[1] - ends[0]) / 2
    if not (math.isfinite(half) and 2 * half > SURE * abs(float(value))):
        return number(value)
    places = decimals(half)
    return f"{at_places(float(value), places)} ± {at_places(half, places)}".replace("-", "−")


def apart(values: Iterable[Any]) -> list[str]:
    """Exact values (Gflops) with the fewest digits that keep them apart; gaps are dashes."""
    from harness.analysis import digits

    given = [None if v is None or v != v else float(v) for v in values]
    texts = iter(digits.apart([v for v in given if v is not None]))
    return [DASH if v is None else next(texts).replace("-", "−") for v in given]


def duration(seconds: float) -> str:
    """ "12 s", "3 min 05 s", "27 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60:02} min"


def on_axis(title: str) -> str:
    """A metric's title for a vertical axis: what follows in brackets on a line of its own."""
    return title.replace(" (", "\n(", 1)
