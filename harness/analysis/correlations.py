"""Correlation of quality with compute, what decides quality, and how sure one can be of either.

Two intervals answer two questions. Over models: what would other models of the same kind show?
Over measurements: what would these models show, had they been trained with other seeds and measured
on other samples? The second needs standard errors, and what errors have in common: values of the
same draws move together. Errors scatter the values, and so draw every measured correlation towards
0: the second interval reaches farther on the side away from it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.analysis.intervals import (
    COVARIANCE_DF,
    Array,
    Interval,
    critical,
    degrees,
    pooled_df,
)
from harness.errors import BadInput

DRAWS = 2000  # of the measurements, for the rank correlation
LENGTHS = 600  # of what a correlation leaves over, that are tried


@dataclass(frozen=True)
class Correlations:
    """Correlations of log10 compute with the value. Limits are NaN for fewer than four models."""

    pearson: Interval  # over models: Fisher's z
    spearman: Interval  # over models: Fisher's z with the variance of Bonett & Wright (2000)
    measured_pearson: Interval | None  # over measurements and seeds; None without standard errors
    measured_spearman: Interval | None
    p_value: float  # of Spearman's, two-sided; exact below nine models
    models: int


def correlation(
    compute: ArrayLike,
    values: ArrayLike,
    std: ArrayLike | None = None,
    confidence: float = 0.95,
    *,
    std_df: ArrayLike | None = None,
    shared: ArrayLike | None = None,
    one_spread: bool = False,
) -> Correlations:
    """Pearson of log10 `compute` (n,) with `values` (n,), and Spearman; missing values are left
    out.

    `std`: standard errors of the values, from samples and seeds together; `std_df`: their degrees
    of freedom (missing: taken as known); `shared` (n, n): correlations of the errors of values that
    share draws (shared_draws.error_correlations; missing: independent); `one_spread`: all errors
    come from one estimate of the spread over seeds (averaging.of_one_spread), whose degrees of
    freedom count once. Raises BadInput: lengths that differ, fewer than three usable models,
    compute or values that do not vary.
    """
    x, y, s = usable(compute, values, std)
    n = len(x)
    if n < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise BadInput(
            f"a correlation needs three models of different compute and quality; there are {n}"
        )
    largest = float(np.abs(y).max())  # squares of 1e300, or of 1e-300, have no number
    y, s = y / largest, None if s is None else s / largest
    df = math.inf if s is None else _freedom(s, std_df, compute, values, one_spread)
    level = critical(confidence, df)
    errors = None if s is None else s**2 * np.eye(n)
    if s is not None and shared is not None:
        kept = np.flatnonzero(usable_rows(*_rows(compute, values)))
        together = np.asarray(shared, float)[np.ix_(kept, kept)]
        errors = together * np.outer(s, s)
        if (together != np.eye(n)).any():
            level = max(level, critical(confidence, COVARIANCE_DF))
    pearson = float(np.corrcoef(x, y)[0, 1])
    rank = float(scipy.stats.spearmanr(x, y).statistic)
    return Correlations(
        pearson=fisher(pearson, 1 / (n - 3) if n > 3 else math.nan, confidence),
        spearman=_spearman(rank, n, confidence),
        measured_pearson=None if errors is None else _measured_pearson(x, y, errors, level),
        measured_spearman=None if errors is None else _measured_spearman(x, y, errors, level),
        p_value=exact_p(x, y, rank) if n < 9 else float(scipy.stats.spearmanr(x, y).pvalue),
        models=n,
    )


def _spearman(rank: float, n: int, confidence: float) -> Interval:
    """Fisher's interval of a rank correlation of n models, open below four.

    Of a perfect order it is that of half a step before it, as far as 1: four models of no trend
    come in order one time in twelve, and an interval without a width would claim it each time.
    """
    if n < 4:
        return Interval(rank, math.nan, math.nan)
    most = 1 - 6 / (n * (n * n - 1))  # between the perfect order and that with two exchanged
    near = min(max(rank, -most), most)
    found = fisher(near, (1 + near**2 / 2) / (n - 3), confidence)
    return Interval(rank, -1.0 if rank < -most else found.low, 1.0 if rank > most else found.high)


def usable(
    compute: ArrayLike, values: ArrayLike, std: ArrayLike | None
) -> tuple[Array, Array, Array | None]:
    """(log10 compute, value, standard error or None) of the models that have all of them.

    A standard error that one model lacks is lacked by all: no interval over measurements then.
    """
    c, y = _rows(compute, values)
    if c.shape != y.shape or c.ndim != 1:
        raise BadInput(f"compute has shape {c.shape} and values {y.shape}; both must be (models,)")
    kept = usable_rows(c, y)
    s = None if std is None else np.broadcast_to(np.asarray(std, float), c.shape)[kept]
    if s is not None and not (np.isfinite(s) & (s >= 0)).all():
        s = None
    return np.log10(c[kept]), y[kept], s


def _rows(compute: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    return np.atleast_1d(np.asarray(compute, float)), np.atleast_1d(np.asarray(values, float))


def usable_rows(compute: Array, values: Array) -> NDArray[np.bool_]:
    """Which models (n,) have both compute and a value."""
    return np.isfinite(compute) & (compute > 0) & np.isfinite(values)


def fisher(r: float, variance: float, confidence: float = 0.95) -> Interval:
    """Interval of a correlation from the variance of its arctanh; +-1 has no width."""
    if abs(r) >= 1 - 1e-12:
        return Interval(r, r, r) if math.isfinite(variance) else Interval(r, math.nan, math.nan)
    half = critical(confidence) * math.sqrt(variance) if math.isfinite(variance) else math.nan
    return Interval(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))


def exact_p(x: Array, y: Array, found: float) -> float:
    """Share of all orders of `y` that correlate as strongly; for fewer than nine models."""
    ranks = scipy.stats.rankdata(x), scipy.stats.rankdata(y)
    centred = [(r - r.mean()) / r.std() for r in ranks]
    orders = np.array(list(itertools.permutations(range(len(x)))), dtype=np.int8)
    spearman = centred[1][orders] @ centred[0] / len(x)
    return float((np.abs(spearman) >= abs(found) - 1e-9).mean())


def _freedom(
    s: Array, std_df: ArrayLike | None, compute: ArrayLike, values: ArrayLike, one_spread: bool
) -> float:
    """Degrees of freedom of the errors `s` of the usable models together."""
    if std_df is None:
        return math.inf
    c, y = _rows(compute, values)
    df = np.broadcast_to(np.asarray(std_df, float), c.shape)[usable_rows(c, y)]
    return pooled_df(s**2, [degrees(f) for f in df], one_spread)


def _measured_pearson(x: Array, y: Array, errors: Array, level: float) -> Interval:
    """Interval of all r that the errors, of covariance (n, n), allow within `level` of them
    (profile likelihood).

    y falls into its part A along x, whose error is normal, and into the rest of length R, whose
    measured square is larger than the true one by what the errors add: it is judged by the gamma
    distribution of its mean and variance. The correlation is A / sqrt(A^2 + R^2).
    """
    a = (x - x.mean()) / np.linalg.norm(x - x.mean())
    along = float(a @ y)
    rest = y - y.mean() - along * a
    square = float(rest @ rest)
    r = along / math.sqrt(along**2 + square)
    error = math.sqrt(max(0.0, float(a @ errors @ a)))
    if not error > 0:
        return Interval(r, r, r)
    across = (np.eye(len(x)) - 1 / len(x) - np.outer(a, a)) @ errors
    added, spread = float(np.trace(across)), 2 * float((across * across.T).sum())
    if not added > 0:
        return Interval(r, min(r, -1.0), max(r, 1.0))
    own = (
        max(0.0, float(rest @ errors @ rest)) / square if square > 0 else 0.0
    )  # along the rest itself
    near = 6 * math.sqrt(max(own, added))
    length = np.linspace(
        max(0.0, math.sqrt(square) - math.sqrt(added) - near),
        math.sqrt(square + added) + near,
        LENGTHS,
    )
    mean, scatter = length**2 + added, spread + 4 * length**2 * own
    lower = scipy.stats.gamma.cdf(square, mean**2 / scatter, scale=scatter / mean)
    off = -scipy.stats.norm.ppf(np.clip(lower, 1e-300, 1 - 1e-16))  # normal score of each length
    off = off - max(0.0, off.min())  # less is left over than the errors give: nothing it is
    shared = np.zeros(LENGTHS)  # correlation of both errors
    if own > 0:
        both = float(a @ errors @ rest) / (error * math.sqrt(square * own))
        shared = both * np.sqrt(4 * length**2 * own / scatter)
    room = level**2 - off**2
    reach = np.sqrt(np.maximum(room, 0) * np.maximum(1 - shared**2, 1e-3))
    ends = [along + error * (shared * off + side * reach) for side in (-1, 1)]
    found = [e / np.maximum(np.hypot(e, length), 1e-300) for e in ends]
    inside = room >= 0
    low, high = (float(pick(f[inside])) for pick, f in zip((np.min, np.max), found, strict=True))
    return Interval(r, max(-1.0, min(low, r)), min(1.0, max(high, r)))


def _measured_spearman(x: Array, y: Array, errors: Array, level: float) -> Interval:
    """Over rankings that the errors allow: values are drawn anew about the measured ones.

    The measured ones hold the error once: they are brought nearer to their mean, until they vary as
    much as the true ones do. Drawn values lie nearer to no correlation, so the interval is widened
    to the measured correlation's other side as far as it reaches on this one.
    """
    r = float(scipy.stats.spearmanr(x, y).statistic)
    if (y > 0).all():  # logarithms have the same ranks, and errors that are alike
        y, errors = np.log(y), errors / np.outer(y, y)
    scatter = float(np.trace(errors) - errors.mean() * len(y)) / (len(y) - 1)  # that errors add
    true = min(1.0, max(0.1, 1 - scatter / float(y.var(ddof=1))))
    y = y.mean() + math.sqrt(true) * (y - y.mean())
    rng = np.random.default_rng(0)
    sizes, ways = np.linalg.eigh(errors)
    root = ways * np.sqrt(np.maximum(sizes, 0))
    drawn = scipy.stats.rankdata(y + rng.normal(size=(DRAWS, len(y))) @ root.T, axis=1)
    ranks = scipy.stats.rankdata(x)
    drawn = drawn - drawn.mean(axis=1, keepdims=True)
    ranks = ranks - ranks.mean()
    found = drawn @ ranks / (np.linalg.norm(drawn, axis=1) * np.linalg.norm(ranks))
    tail = float(scipy.stats.norm.sf(level))
    low = np.quantile(found, tail, method="lower")
    high = np.quantile(found, 1 - tail, method="higher")
    half = float(max(r - low, high - r, 0.0))
    return Interval(r, max(-1.0, r - half), min(1.0, r + half))


def compare_correlations(
    compute: ArrayLike, first: ArrayLike, second: ArrayLike, confidence: float = 0.95
) -> Interval:
    """|r(compute, first)| - |r(compute, second)| of the same models, with its interval.

    Dependent correlations that share one variable: Zou (2007), from the Fisher intervals of both
    and the correlation of the two. Only models with both values count. Raises BadInput below four.
    """
    c, a, b = (np.asarray(v, float) for v in (compute, first, second))
    kept = np.isfinite(c) & (c > 0) & np.isfinite(a) & np.isfinite(b)
    x, a, b = np.log10(c[kept]), a[kept], b[kept]
    n = len(x)
    if n >= 4:
        a, b = (v / max(float(np.abs(v).max()), 1e-300) for v in (a, b))
    if n < 4 or 0 in (np.ptp(x), np.ptp(a), np.ptp(b)):
        raise BadInput(f"comparing correlations needs four models that vary; there are {n}")
    ra, rb, between = (float(np.corrcoef(u, v)[0, 1]) for u, v in ((x, a), (x, b), (a, b)))
    # The signs that mean better differ among metrics; strength is compared.
    between *= math.copysign(1, ra) * math.copysign(1, rb)
    ra, rb = abs(ra), abs(rb)
    one = fisher(ra, 1 / (n - 3), confidence)
    two = fisher(rb, 1 / (n - 3), confidence)
    top = (between - ra * rb / 2) * (1 - ra**2 - rb**2 - between**2) + between**3
    shared = top / ((1 - ra**2) * (1 - rb**2)) if ra < 1 and rb < 1 else 0.0
    shared = min(1.0, max(-1.0, shared))

    def reach(p: float, q: float) -> float:
        return math.sqrt(max(0.0, p * p + q * q - 2 * shared * p * q))

    gap = ra - rb
    return Interval(
        gap,
        gap - reach(ra - one.low, two.high - rb),
        gap + reach(one.high - ra, rb - two.low),
    )


@dataclass(frozen=True)
class Regression:
    """Ordinary least squares: coefficients with t intervals, share of variance explained."""

    intercept: Interval
    coefficients: dict[str, Interval]
    r2: float
    models: int


def regression(
    response: ArrayLike, columns: Mapping[str, ArrayLike], confidence: float = 0.95
) -> Regression:
    """`response` (n,) on an intercept and the named `columns` (each (n,)).

    For "Gflops, not parameters": log FID on log Gflops and log parameters. Rows with a missing
    value are left out. Raises BadInput with fewer rows than coefficients plus one, columns that
    repeat one another, or a response that is the same everywhere.
    """
    y = np.asarray(response, float)
    design = np.column_stack([np.ones(len(y)), *(np.asarray(v, float) for v in columns.values())])
    kept = np.isfinite(y) & np.isfinite(design).all(axis=1)
    y, design = y[kept], design[kept]
    n, k = design.shape
    if n <= k or np.linalg.matrix_rank(design) < k:
        raise BadInput(f"{n} models do not determine {k} coefficients of {', '.join(columns)}")
    if np.ptp(y) <= 1e-9 * max(1.0, float(np.abs(y).max())):  # rounding would be its own trend
        raise BadInput(f"all {n} models have the same value")
    solution, *_ = np.linalg.lstsq(design, y, rcond=None)
    residuals = y - design @ solution
    spread = float(residuals @ residuals)
    inverse = np.linalg.inv(design.T @ design)
    half = critical(confidence, n - k) * np.sqrt(spread / (n - k) * np.diag(inverse))
    found = [
        Interval(float(v), float(v - h), float(v + h)) for v, h in zip(solution, half, strict=True)
    ]
    total = float(((y - y.mean()) ** 2).sum())
    return Regression(
        found[0],
        dict(zip(columns, found[1:], strict=True)),
        1 - spread / total if total > 0 else math.nan,
        n,
    )
