"""Does the better recipe change with scale, and where do the two curves cross?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from harness.analysis.factors import Pairs, paired
from harness.analysis.intervals import Array, Interval, critical
from harness.errors import BadInput

EVEN = 8.0  # degrees of one variance at which its weight is half its own and half the mean's


@dataclass(frozen=True)
class Interaction:
    """How the log ratio of two levels of a factor changes with model compute."""

    factor: str
    first: Any
    second: Any
    slope: (
        Interval  # change of log(first / second) per tenfold compute; holds 0: no interaction seen
    )
    crossing: Interval | None  # Gflops at which both are equal; None: no crossing and none excluded
    models: int
    basis: str | None


@dataclass(frozen=True)
class Line:
    """y = intercept + slope x, with the covariance of both and the level of its intervals."""

    intercept: float
    slope: float
    covariance: Array  # (2, 2)
    level: float  # t

    def error(self, x: float) -> float:
        """Standard error of the line's value at x."""
        v = np.array([1.0, x])
        return math.sqrt(max(0.0, float(v @ self.covariance @ v)))

    def slope_interval(self) -> Interval:
        """The slope with its interval."""
        half = self.level * math.sqrt(self.covariance[1, 1])
        return Interval(self.slope, self.slope - half, self.slope + half)

    def root(self) -> Interval | None:
        """Where the line is 0, by Fieller (1954): all x at which 0 is within the band.

        Open where the slope may be 0; None where both the slope is 0 and no x is within the band.
        """
        a = self.slope**2 - self.level**2 * self.covariance[1, 1]
        b = self.intercept * self.slope - self.level**2 * self.covariance[0, 1]
        c = self.intercept**2 - self.level**2 * self.covariance[0, 0]
        discriminant = b * b - a * c
        centre = -self.intercept / self.slope if self.slope else math.nan
        if a > 0:
            root = math.sqrt(max(0.0, discriminant))
            return Interval(centre, (-b - root) / a, (-b + root) / a)
        if math.isnan(centre):
            return None
        return Interval(centre, -math.inf, math.inf)


def line(x: Array, y: Array, errors: Array, df: float, confidence: float = 0.95) -> Line:
    """Weighted straight line; its errors are the given ones, or what the scatter says if that is
    wider.

    x, y: (n,); `errors`: variances (n,) or covariances (n, n) of y; `df`: degrees of freedom of
    them together. The line is weighted by the variances alone. Variances of few
    degrees would rule the line by chance where they came out small: as weights they are brought
    towards their mean. What models scatter beyond them is added to each (Paule & Mandel 1982), and
    has n - 2 degrees. Three models can lie on a line by chance: t of one degree times their misfit
    counts even where the misfit is smaller than the errors, so that the interval holds the truth
    whatever the models scatter. Raises BadInput below two distinct x or without variances.
    """
    if len(x) < 2 or np.ptp(x) == 0:
        raise BadInput("a line needs two models of different compute")
    between = np.diag(errors) if errors.ndim == 1 else errors
    variance = np.diag(between)
    if not (np.isfinite(variance).all() and (variance > 0).all()):
        raise BadInput("a line needs standard errors; these values have none")
    design = np.column_stack([np.ones(len(x)), x])
    kept = 1.0 if math.isinf(df) else df / (df + EVEN * len(x))
    weighing = kept * variance + (1 - kept) * variance.mean()

    def solved(of: Array) -> tuple[Array, Array]:
        """(covariance, maps y to intercept and slope) at these variances."""
        covariance: Array = np.asarray(np.linalg.inv(design.T @ (design / of[:, None])), float)
        return covariance, covariance @ design.T / of

    def misfit(scatter: float) -> float:
        of = weighing + scatter
        return float(((y - design @ (solved(of)[1] @ y)) ** 2 / of).sum()) - left

    _, maps = solved(weighing)
    covariance, level = maps @ between @ maps.T, critical(confidence, df)
    left = len(x) - 2
    if left > 0:
        scatter, share = 0.0, 1.0
        if misfit(0.0) > 0:
            most = float(((y - y.mean()) ** 2).sum()) / left
            scatter = float(scipy.optimize.brentq(misfit, 0.0, most))
        else:  # they scatter less than their errors say, which may be chance
            share = (misfit(0.0) + left) / left
        seen, others = solved(weighing + scatter)
        seen, of_scatter = seen * share, critical(confidence, left)
        if of_scatter**2 * seen[1, 1] > level**2 * covariance[1, 1]:
            covariance, level, maps = seen, of_scatter, others
    intercept, slope = (float(v) for v in maps @ y)
    return Line(intercept, slope, np.asarray(covariance, float), level)


def interaction(
    rows: pd.DataFrame, factor: str, first: Any, second: Any, confidence: float = 0.95
) -> Interaction:
    """Change of the effect of `factor` with compute; `rows` as for harness.analysis.factors.paired.

    Raises BadInput below two models of different compute that have both levels, or without errors.
    """
    pairs: Pairs = paired(rows, factor, first, second)
    x = np.log10(pairs.gflops)
    fit = line(x, pairs.gain, pairs.covariance, pairs.df, confidence)
    root = fit.root()
    crossing = None if root is None else Interval(*(_power(v) for v in root))
    return Interaction(factor, first, second, fit.slope_interval(), crossing, len(x), pairs.basis)


def _power(x: float) -> float:
    return math.inf if x > 300 else 10.0**x
