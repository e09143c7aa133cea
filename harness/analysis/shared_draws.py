"""The errors that values of the same draws have in common.

Sample i of every model that is sampled with one seed begins at the same noise and has the same
label, so the errors of such values are correlated, at one training seed often above 0.9, and a
difference is known far better than from independent samples. How much better is seen from the
influences of groups of samples (harness.metrics.influence), which records keep.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.intervals import Array
from harness.analysis.standard_error import standard_errors
from harness.store import influences

DRAWS = ("sampling_seed", "samples")  # columns that say of which draws a value is


def draws_of(rows: pd.DataFrame) -> pd.Series:
    """In a text, of which draws each value is; null where that is not recorded."""
    if any(c not in rows for c in DRAWS):
        return pd.Series(None, index=rows.index, dtype=object)
    both = zip(rows[DRAWS[0]], rows[DRAWS[1]], strict=True)
    texts = [None if pd.isna(s) or pd.isna(n) else f"{int(s)}/{int(n)}" for s, n in both]
    return pd.Series(texts, index=rows.index, dtype=object)


def covariance(frame: pd.DataFrame) -> Array:
    """Covariances of the errors of the values, (rows, rows); their variances on the diagonal.

    `frame`: as of `error_correlations`. NaN on the diagonal where there is no standard error.
    """
    std = _errors(frame)
    r = error_correlations(frame)
    found: Array = np.diag(std**2)
    for i, j in zip(*np.nonzero(r), strict=True):
        found[i, j] = r[i, j] * std[i] * std[j]
    return found


def error_correlations(frame: pd.DataFrame) -> Array:
    """Correlations of the errors of the values, (rows, rows); 1 on the diagonal.

    `frame`: rows of one metric, with standard errors (averaging.errors), `influence`, and `draws`
    or the columns that say of which they are; what lacks them is taken as independent.

    0 between rows of other sampling seeds or numbers of samples, and of which no influence or no
    error is recorded: they count as independent, which is the wider interval of a difference.

    The recorded error s has a part that is linear in the samples, whose size l and correlation r
    the influences show, and a rest, of second order, that is correlated by r^2 (as squares of
    correlated normal numbers are): covariance = r l l' + r^2 sqrt((s^2 - l^2)(s'^2 - l'^2)).
    """
    std = _errors(frame)
    found: Array = np.eye(len(frame))
    if "influence" not in frame:
        return found
    rows = [influences.read(text) for text in frame["influence"]]
    draws = frame["draws"] if "draws" in frame else draws_of(frame)
    groups: dict[Any, list[int]] = {}
    for i, (row, key) in enumerate(zip(rows, draws, strict=True)):
        if row is not None and isinstance(key, str) and np.isfinite(std[i]) and std[i] > 0:
            groups.setdefault((key, len(row)), []).append(i)
    for members in groups.values():
        if len(members) < 2:
            continue
        moves = np.array([rows[i] for i in members]) / std[members][:, None]
        linear = moves.std(axis=1, ddof=1) / np.sqrt(moves.shape[1])
        known = linear > 0
        members = [i for i, k in zip(members, known, strict=True) if k]
        if len(members) < 2:
            continue
        first = np.minimum(linear[known], 1.0)
        rest = np.sqrt(1.0 - first**2)
        r = np.corrcoef(moves[known])
        shared = r * np.outer(first, first) + np.maximum(r, 0) ** 2 * np.outer(rest, rest)
        at = np.ix_(members, members)
        found[at] = np.where(np.eye(len(members), dtype=bool), 1.0, shared)
    return found


def in_common(frame: pd.DataFrame) -> tuple[Array, Array] | None:
    """Standard errors (own, common), each (rows,): of each value alone, and of what all share.

    own^2 + common^2 is the recorded variance, and the common part has the mean correlation of all
    pairs. None unless every value is of the same draws, with its influences recorded.
    """
    if len(frame) < 2 or "influence" not in frame:
        return None
    draws = frame["draws"] if "draws" in frame else draws_of(frame)
    if frame["influence"].isna().any() or draws.isna().any() or draws.nunique() != 1:
        return None
    std = _errors(frame)
    if not (np.isfinite(std).all() and (std > 0).all()):
        return None
    pairs = error_correlations(frame)[np.triu_indices(len(std), 1)]
    share = float(np.clip(pairs.mean(), 0.0, 0.999))
    return np.asarray(std * np.sqrt(1 - share)), np.asarray(std * np.sqrt(share))


def _errors(frame: pd.DataFrame) -> Array:
    """Standard errors as harness.analysis.averaging.errors has them."""
    if "se" in frame:
        return frame["se"].to_numpy(float, na_value=np.nan)
    return np.asarray(standard_errors(frame), float)
