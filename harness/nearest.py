"""The nearest of the names that there are, for an error about one that there is not."""

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
