"""The column `influence`: means of groups of samples, as whole multiples of a unit.

Of tens of thousands of rows each byte counts, and a correlation needs no more than the 127 steps of
a signed byte on either side: rounding adds about a hundredth of the standard error to a difference.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

MOST = 127


def written(groups: Iterable[float] | None) -> str | None:
    """The unit, and the multiples as signed bytes in base 64; None where there is nothing to tell.

    >>> written([0.5, -1.0, 0.25]), written([0.0, 0.0])
    ('0.007874 QIEg', None)
    """
    if groups is None:
        return None
    found = [float(g) for g in groups]
    largest = max((abs(g) for g in found), default=0.0)
    if not 1e-300 < largest < float("inf"):
        return None
    unit = f"{largest / MOST:.4g}"
    steps = bytes(max(-MOST, min(MOST, round(g / float(unit)))) % 256 for g in found)
    return f"{unit} {base64.b64encode(steps).decode()}"


def read(text: Any) -> list[float] | None:
    """The means that a column's text holds; None of null, and of another text: then values count as
    independent, which is never too sure.

    >>> read('0.5 Av8='), read(None)
    ([1.0, -0.5], None)
    """
    if not isinstance(text, str):
        return None
    unit, _, steps = text.partition(" ")
    try:
        scale, multiples = float(unit), base64.b64decode(steps, validate=True)
    except ValueError:
        return None
    return [scale * (s - 256 if s > MOST else s) for s in multiples] or None
