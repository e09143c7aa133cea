"""Floor and ceiling: did a model learn anything, and what do the others say without it?

The ceiling is what decoded noise scores: N(0, 1) latents through the decoder, against the same
reference at the same number of samples. A model "did not learn" unless it is below the ceiling
(above it where more is better) by a one-sided 95 % difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from harness.analysis.intervals import critical, degrees, pooled_df

T = TypeVar("T")


def learned(
    values: ArrayLike,
    std: ArrayLike | None,
    ceiling: float | None,
    ceiling_std: float | None = None,
    *,
    df: ArrayLike | None = None,
    ceiling_df: float | None = None,
    higher: bool = False,
    confidence: float = 0.95,
) -> NDArray[np.object_]:
    """Per value (n,): True, False ("did not learn"), or None where it cannot be said.

    None: no value, no ceiling, or no standard error of either of the two. `ceiling_std` None: the
    ceiling is taken as exact where the value has a standard error.
    """
    v = np.atleast_1d(np.asarray(values, float))
    s = np.full(len(v), np.nan) if std is None else np.atleast_1d(np.asarray(std, float))
    f = np.full(len(v), np.nan) if df is None else np.atleast_1d(np.asarray(df, float))
    out: NDArray[np.object_] = np.full(len(v), None, dtype=object)
    if ceiling is None or not math.isfinite(ceiling):
        return out
    beside = 0.0 if ceiling_std is None or not math.isfinite(ceiling_std) else ceiling_std**2
    for i, (value, error, freedom) in enumerate(zip(v, s, f, strict=True)):
        if not (math.isfinite(value) and math.isfinite(error)):
            continue
        gain = (value - ceiling) if higher else (ceiling - value)
        both = pooled_df([error**2, beside], [degrees(freedom), degrees(ceiling_df)])
        out[i] = bool(gain > critical(confidence, both, sides=1) * math.sqrt(error**2 + beside))
    return out


def with_and_without(
    frame: pd.DataFrame, function: Callable[[pd.DataFrame], T], column: str = "learned"
) -> tuple[T, T | None]:
    """`function` of all rows, and of the rows whose model did not fail to learn.

    The second is None where it would be the same rows: no `column`, or no False in it.
    """
    if column not in frame:
        return function(frame), None
    failed: Any = [value is False or value is np.False_ for value in frame[column]]
    kept = frame[~np.array(failed, dtype=bool)]
    return function(frame), (function(kept) if len(kept) < len(frame) else None)
