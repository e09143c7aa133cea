"""Suggestions for a name or number that cannot be used, for the error about it."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The nearest of `known`, as " (did you mean 'steps'?)"; "" where none is near.

    Upper and lower case are one, since that is the likeliest slip. cutoff: how alike they must be,
    from 0 to 1 (difflib's ratio).
    """
    import difflib

    folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=cutoff)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""


SMALL, MOST_SHOWN = 10_000, 24


def divisors(number: int) -> str:
    """The numbers that divide `number`, ascending; of many, or of a huge number, the smaller ones.

    >>> divisors(12), divisors(1_000_000_007)
    ('1, 2, 3, 4, 6, 12', '1, 1000000007')
    """
    small = [n for n in range(1, min(number, SMALL) + 1) if number % n == 0]
    found = sorted({*small, *(number // n for n in small)})
    shown = ", ".join(map(str, found[:MOST_SHOWN]))
    return f"{shown}, ..." if len(found) > MOST_SHOWN else shown
