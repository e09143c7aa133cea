"""Who is best, and who cannot be told from the best: for bold face, ranks and the word "best".

Every comparison is a two-sided t test of a difference, Holm's correction over all that are made
together. What has no standard error cannot be told from anything: it ties with all.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from harness.analysis.intervals import Difference, corrected, degrees, difference


def _pairs(
    values: ArrayLike,
    std: ArrayLike | None,
    df: ArrayLike | None,
    covariance: ArrayLike | None,
    one_spread: ArrayLike | None,
    chosen: list[tuple[int, int]],
) -> list[Difference]:
    v = np.asarray(values, float)
    s = np.full(len(v), np.nan) if std is None else np.asarray(std, float)
    f = np.full(len(v), np.nan) if df is None else np.asarray(df, float)
    c = np.zeros((len(v), len(v))) if covariance is None else np.asarray(covariance, float)
    one = np.zeros(len(v), bool) if one_spread is None else np.asarray(one_spread, bool)
    return [
        difference(v[i], v[j], s[i], s[j], degrees(f[i]), degrees(f[j]), covariance=float(c[i, j]),
                   one_spread=bool(one[i] and one[j]))
        for i, j in chosen
    ]  # fmt: skip


def best(
    values: ArrayLike,
    std: ArrayLike | None = None,
    df: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    *,
    one_spread: ArrayLike | None = None,
    higher: bool = False,
    confidence: float = 0.95,
) -> NDArray[np.bool_]:
    """Which values (n,) tie with the best one, itself included; a missing value never does.

    `std`: standard errors, `df`: their degrees of freedom, `covariance`: (n, n) of the errors, of
    which the diagonal is not read (shared_draws.covariance). `one_spread`: (n,), see
    averaging.of_one_spread. One True alone: it is the best.
    """
    v = np.asarray(values, float)
    out = np.isfinite(v)
    if not out.any():
        return out  # type: ignore[no-any-return]
    top = int(np.nanargmax(np.where(out, v if higher else -v, np.nan)))
    others = [int(i) for i in np.flatnonzero(out) if i != top]
    pairs = [(top, i) for i in others]
    judged = corrected(_pairs(v, std, df, covariance, one_spread, pairs), confidence)
    for i, gap in zip(others, judged, strict=True):
        # A standard error is needed to lose: equal exact values tie as well.
        out[i] = gap.tie
    return out  # type: ignore[no-any-return]


def ranks(
    values: ArrayLike,
    std: ArrayLike | None = None,
    df: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    *,
    one_spread: ArrayLike | None = None,
    higher: bool = False,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Columns rank, low, high: 1 is best; the true rank lies in [low, high] by Holm over all pairs.

    Value i can be no better than 1 + (how many are surely better), no worse than n - (how many are
    surely worse). Rows as the values; NaN for a missing value.
    """
    v = np.asarray(values, float)
    known = [int(i) for i in np.flatnonzero(np.isfinite(v))]
    pairs = list(combinations(known, 2))
    better = np.zeros(len(v), int)
    worse = np.zeros(len(v), int)
    judged = corrected(_pairs(v, std, df, covariance, one_spread, pairs), confidence)
    for (i, j), gap in zip(pairs, judged, strict=True):
        if gap.tie:
            continue
        first, second = (i, j) if (gap.value > 0) == higher else (j, i)
        better[second] += 1
        worse[first] += 1
    signed = pd.Series(v if not higher else -v)
    frame = pd.DataFrame(
        {"rank": signed.rank(method="min"), "low": 1.0 + better, "high": len(known) - worse * 1.0}
    )
    frame.loc[~np.isfinite(v), ["rank", "low", "high"]] = np.nan
    return frame
