"""Intervals, differences and the correction for several of them: one test for every word.

A tie is a difference whose corrected interval holds 0. Ranking, "best", bold face and sentences all
ask `Difference.tie`, so that a table cannot call a winner where the text calls a tie.

Standard errors that were estimated carry degrees of freedom and are judged by Student's t; infinite
(or missing) degrees of freedom mean a standard error that is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput

Array = NDArray[np.float64]

ROUNDING = 1e-8  # of a value, or of 1 where it is less: no measurement is known so well
COVARIANCE_DF = 31.0  # of one seen in the influences of 32 groups (harness.metrics.influence)


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence limits. An open side is infinite, an unknown one is NaN."""

    value: float
    low: float
    high: float

    def __contains__(self, x: float) -> bool:
        return self.low <= x <= self.high

    def __iter__(self) -> Iterator[float]:
        return iter((self.value, self.low, self.high))

    def __float__(self) -> float:
        return self.value

    @property
    def half_width(self) -> float:
        """Half of high - low: what the printed digits follow from (harness.analysis.digits)."""
        return (self.high - self.low) / 2

    @property
    def known(self) -> bool:
        """Are both limits finite?"""
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Difference:
    """`value` = first - second, with its standard error, degrees of freedom and interval.

    `interval` is at the corrected level where several differences were judged together.
    """

    value: float
    std: float  # standard error; NaN where one of the two values has none
    df: float
    p: float  # two-sided, not corrected; NaN without a standard error
    interval: Interval

    @property
    def tie(self) -> bool:
        """Does the interval hold 0? What has no standard error cannot be told apart."""
        return not (self.interval.low > 0 or self.interval.high < 0)

    @property
    def degenerate(self) -> bool:
        """Is the standard error 0, or rounding? Nothing varied that the difference rests on."""
        return without_spread(self.value, self.std)


def critical(confidence: float, df: float = math.inf, sides: int = 2) -> float:
    """Student's quantile for an interval of `confidence`; the normal one at infinite `df`.

    Raises BadInput: a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise BadInput(f"a confidence of {confidence!r} is not between 0 and 1")
    upper = 1 - (1 - confidence) / sides
    return float(scipy.stats.norm.ppf(upper) if math.isinf(df) else scipy.stats.t.ppf(upper, df))


def interval(
    value: float, std: float, df: float = math.inf, confidence: float = 0.95, sides: int = 2
) -> Interval:
    """value +- t std. One-sided intervals have one level for both limits: use the one asked for."""
    half = critical(confidence, df, sides) * std
    return Interval(float(value), float(value - half), float(value + half))


def without_spread(value: float, std: float) -> bool:
    """Is a standard error 0, or what rounding leaves of 0? It carries no test."""
    return std <= ROUNDING * max(1.0, abs(value))


def pooled_df(variances: ArrayLike, dfs: ArrayLike, one_spread: bool = False) -> float:
    """Degrees of freedom of a sum of independent variances (Welch 1947, Satterthwaite 1946).

    `one_spread`: all come from one estimate (averaging.of_one_spread), and count once.
    """
    if one_spread:
        return float(np.min(dfs))
    v, df = np.asarray(variances, float), np.asarray(dfs, float)
    if not v.sum() > 0:
        return math.inf
    parts = np.where(np.isinf(df), 0.0, v**2 / np.where(np.isinf(df), 1.0, df))
    return float(v.sum() ** 2 / parts.sum()) if parts.sum() > 0 else math.inf


def degrees(df: float | None) -> float:
    """`df` as recorded: a null one means a standard error taken as known."""
    return math.inf if df is None or math.isnan(float(df)) else float(df)


def difference(
    first: float,
    second: float,
    first_std: float | None,
    second_std: float | None,
    first_df: float | None = None,
    second_df: float | None = None,
    *,
    covariance: float = 0.0,
    confidence: float = 0.95,
    one_spread: bool = False,
) -> Difference:
    """first - second of two measured values, with a two-sided interval.

    `covariance` of their errors where they share something: with c > 0 the difference is known
    better than from independent values; it is one that was measured with `COVARIANCE_DF` degrees
    of freedom. `one_spread`: both standard errors come from one estimate of the spread over seeds
    (averaging.of_one_spread), whose degrees of freedom count once. A missing standard error makes
    the interval infinite.
    """
    a = math.nan if first_std is None else float(first_std)
    b = math.nan if second_std is None else float(second_std)
    gap = float(first) - float(second)
    variance = a * a + b * b - 2 * covariance
    if not math.isfinite(variance):
        return with_error(gap, math.nan, math.nan, confidence)
    df = pooled_df([a * a, b * b], [degrees(first_df), degrees(second_df)], one_spread)
    if covariance:
        df = min(df, COVARIANCE_DF)
    return with_error(gap, math.sqrt(max(variance, 0.0)), df, confidence)


def with_error(gap: float, std: float, df: float, confidence: float = 0.95) -> Difference:
    """A difference whose standard error is known as a whole; NaN: an interval without ends."""
    if not (math.isfinite(std) and math.isfinite(gap)):
        return Difference(gap, math.nan, math.nan, math.nan, Interval(gap, -math.inf, math.inf))
    return Difference(gap, std, df, p_value(gap, std, df), interval(gap, std, df, confidence))


def p_value(value: float, std: float, df: float = math.inf, sides: int = 2) -> float:
    """The p-value of "the true value is 0" (two sides), or of "it is 0 or less" (one side)."""
    if std == 0:
        return float(value == 0) if sides == 2 else float(value <= 0)
    z = abs(value) / std if sides == 2 else value / std
    tail = scipy.stats.norm.sf(z) if math.isinf(df) else scipy.stats.t.sf(z, df)
    return float(min(1.0, sides * tail))


def holm(p: ArrayLike) -> Array:
    """Adjusted p-values (Holm 1979): rejecting those below alpha errs at all in at most alpha.

    NaN (nothing was measured) stays NaN and is not counted as a test.
    """
    p = np.asarray(p, float)
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return out


def holm_levels(p: ArrayLike, alpha: float = 0.05) -> Array:
    """Per test the alpha of the interval that agrees with Holm's decision about it.

    An interval at confidence 1 - level excludes 0 if and only if Holm rejects. The k-th smallest p
    of m is judged at alpha / (m - k + 1); after the first that is not rejected the level stays.
    """
    p = np.asarray(p, float)
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    level = alpha / max(1, len(known))
    stopped = False
    for rank, i in enumerate(known[np.argsort(p[known], kind="stable")]):
        if not stopped:
            level = alpha / (len(known) - rank)
            stopped = bool(p[i] > level)
        out[i] = level
    return out


def corrected(differences: Sequence[Difference], confidence: float = 0.95) -> list[Difference]:
    """The same differences with the intervals that Holm's correction over all of them gives."""
    levels = holm_levels([d.p for d in differences], 1 - confidence)
    return [
        d
        if math.isnan(level)
        else Difference(d.value, d.std, d.df, d.p, interval(d.value, d.std, d.df, 1 - float(level)))
        for d, level in zip(differences, levels, strict=True)
    ]
