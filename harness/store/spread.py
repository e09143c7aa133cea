"""The meaning of a recorded `std`, which `std_method` says.

In today's records it is the standard error of the value. Older records kept another number there
for three metrics. It stays as it was, and is read here as what it is:

- the class score's, "standard deviation over N chunks", was of one chunk (population, over N). The
  value is their mean, so its standard error follows: std / sqrt(N - 1).
- the kernel distance's, "standard deviation over N random subsets", says how much one subset
  differs from another. Subsets share images, and the error of their mean does not follow from it.
- the extrapolated distance's, "... nested subsets, so a lower bound", is of a line through points
  that share samples: 3 to 6 times too small, and by how much is not known.

The last two have no standard error: no interval is drawn from them.
"""

from __future__ import annotations

import math
import re

_CHUNKS = re.compile(r"standard deviation over (\d+) chunks")
_UNKNOWN = re.compile(r"standard deviation over \d+ random subsets|.*so a lower bound")


def scale(std_method: object) -> float:
    """The factor from a recorded std to the standard error; NaN where none follows.

    >>> scale("standard deviation over 10 chunks"), scale("standard error of the mean")
    (0.3333333333333333, 1.0)
    """
    if not isinstance(std_method, str):
        return 1.0
    if found := _CHUNKS.fullmatch(std_method):
        chunks = int(found[1])
        return 1 / math.sqrt(chunks - 1) if chunks > 1 else math.nan
    return math.nan if _UNKNOWN.fullmatch(std_method) else 1.0
