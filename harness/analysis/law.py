"""The scaling law q = E + A C^-a: its parameters, its predictions, and how sure both are.

The scatter of models about a law is larger than their measurement error (the paper's twelve lie 25
% about a power law), so the log of value i has the variance s_i^2 / q_i^2 + tau^2. tau is
estimated: the residuals are made to fit their n - 3 degrees of freedom (Paule & Mandel 1982).
Intervals are profile likelihood with Student's t of n - 3 degrees (see law_surface).

- Scatter below the recorded errors: the errors are scaled down to it, as t allows for, unless so
  little scatter would be seen one time in a hundred only. Then the errors are evidently shared
  between the models, and the recorded ones are believed.
- E is of the metric at N samples: print N and the floor at N beside it.
- Intervals are conditional on what all values share (the reference, a sampling seed) unless
  `common_std` says how much that may err.
- E is not negative. Where the truth is so near 0 that a fit often ends there, the likelihood ratio
  is smaller than the t that it is held against, and intervals of the exponent and of means would
  hold the truth too often: the exponent's in 98 % of draws of (E, A, a) = (8, 300, 0.4) with 8 %
  noise. So each exponent, and each mean, is held against the threshold of the E that fits with it
  (harness.analysis.bounded). E and A keep the usual one.
- What all values share is recorded, and not estimated from the residuals: its part of an interval
  has a normal deviate and not their t.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike

from harness.analysis.intervals import Array, Interval, critical
from harness.analysis.law_surface import Surface, surface
from harness.errors import BadInput

FEWEST = 5  # models of distinct compute
DECADE = 10.0  # least ratio of the largest compute to the smallest
HUBER = 1.345  # residuals beyond so many deviations weigh less (95 % efficient for normal ones)
SURPRISE = 0.01  # scatter less probable than this, given the recorded errors, is not believed


@dataclass(frozen=True)
class PowerFit:
    """q = scale * C^-exponent: the law without an offset, with t intervals of n - 2 degrees."""

    scale: Interval
    exponent: Interval
    aicc: float  # corrected Akaike criterion, comparable with ScalingLaw.aicc

    def at(self, compute: ArrayLike) -> Array:
        """The fitted values at `compute` (any shape)."""
        return np.asarray(self.scale.value * np.asarray(compute, float) ** -self.exponent.value)


@dataclass(frozen=True)
class LeftOut:
    """The prediction for the model of largest compute, by the law of all smaller ones."""

    compute: float
    measured: float
    predicted: Interval  # for a newly measured model
    error: float  # predicted / measured - 1


@dataclass(frozen=True)
class _Weights:
    """The errors that the fit assumed, on the log scale."""

    own: Array  # (n,) variances of each value alone
    common: Array  # (n,) standard error of what all share
    new: float  # variance of a newly measured model
    tau: float
    level: float  # t or z of the intervals

    @property
    def covariance(self) -> Array:
        return np.diag(self.own) + np.outer(self.common, self.common)

    def combined(
        self, of: Callable[[Surface], Interval], whole: Surface, alone: Surface, confidence: float
    ) -> Interval:
        """The interval `of` a quantity on the log scale, from the surface of all errors and that
        without the common ones.

        Both have the t of the residuals. The common errors are recorded and not estimated from
        them, so that their part has a normal deviate instead.
        """
        every = of(whole)
        if whole is alone or not math.isfinite(every.high - every.low):
            return every
        own, value = of(alone), every.value
        ease = critical(confidence) / self.level

        def reach(all_: float, part: float) -> float:
            return math.hypot(part, ease * math.sqrt(max(all_**2 - part**2, 0.0)))

        return Interval(
            value,
            value - reach(value - every.low, value - own.low),
            value + reach(every.high - value, own.high - value),
        )


@dataclass(frozen=True)
class ScalingLaw:
    """q = offset + scale * C^-exponent of `models` models; `compute` and `values` are theirs."""

    offset: Interval  # E
    scale: Interval  # A
    exponent: Interval  # a
    identifiable: bool  # does the interval of E leave out 0?
    tau: (
        float  # scatter of models about the law beyond the recorded errors, as a share of the value
    )
    confidence: float
    aicc: float
    power_law: PowerFit
    compute: Array
    values: Array
    std: Array | None
    common_std: Array | None
    huber: bool
    _surface: Surface
    _new_surface: Surface
    _weights: _Weights

    @property
    def models(self) -> int:
        """How many points the law was fitted to."""
        return len(self.compute)

    @property
    def compute_range(self) -> tuple[float, float]:
        """Beyond it a line is drawn only with its band."""
        return float(self.compute.min()), float(self.compute.max())

    @property
    def preferred(self) -> str:
        """ "offset" or "power": which of the two laws the corrected AIC prefers."""
        return "offset" if self.aicc < self.power_law.aicc else "power"

    def at(self, compute: ArrayLike) -> Array:
        """The fitted values at `compute` (any shape)."""
        c = np.asarray(compute, float)
        return np.asarray(self.offset.value + self.scale.value * c**-self.exponent.value)

    def predict(self, compute: float, new: bool = False) -> Interval:
        """The law's mean at `compute`, or (`new`) the value of a newly measured model there.

        A new model brings its scatter and its noise, and is measured beside the others: it shares
        the error that is common to all. Raises BadInput for compute that is not positive.
        """
        if not compute > 0 or not math.isfinite(compute):
            raise BadInput(f"a law predicts at positive compute, not at {compute!r}")
        level, value = self._weights.level**2, math.log(float(self.at(compute)))
        if new:
            grid = self._new_surface
            logs = grid.shadow(grid.curve(float(compute)), value, level, self._weights.new)
        else:

            def of(grid: Surface) -> Interval:
                shares = grid.threshold_shares(self.confidence, float(compute))
                return grid.shadow(grid.curve(float(compute)), value, level * shares)

            logs = self._weights.combined(of, self._surface, self._new_surface, self.confidence)
        return Interval(*(math.exp(v) for v in logs))

    def band(self, compute: ArrayLike, new: bool = False) -> pd.DataFrame:
        """Columns compute, value, low, high: `predict` at each of `compute` (m,)."""
        rows = [(float(c), *self.predict(float(c), new)) for c in np.asarray(compute, float)]
        return pd.DataFrame(rows, columns=["compute", "value", "low", "high"])

    def above_floor(self, floor: float, floor_std: float = 0.0) -> Interval:
        """E minus the floor at the same number of samples; the floor's own error is added."""
        below, above = self.offset.value - self.offset.low, self.offset.high - self.offset.value
        extra = critical(self.confidence) * floor_std
        gap = self.offset.value - floor
        return Interval(gap, gap - math.hypot(below, extra), gap + math.hypot(above, extra))

    @cached_property
    def left_out(self) -> LeftOut | None:
        """The model of largest compute, predicted by the others; None below four others."""
        kept = self.compute < self.compute.max()
        if kept.sum() < 4:
            return None
        std, common = (None if s is None else s[kept] for s in (self.std, self.common_std))
        rest = _fit(self.compute[kept], self.values[kept], std, self.confidence, common, self.huber)
        compute = float(self.compute.max())
        measured = float(self.values[~kept].mean())
        predicted = rest.predict(compute, new=True)
        return LeftOut(compute, measured, predicted, predicted.value / measured - 1)


def why_no_law(compute: ArrayLike, values: ArrayLike) -> str | None:
    """The reason why no law can be fitted, as a clause ("..."); None where one can."""
    c, v, _, _ = _usable(compute, values, None, None)
    if (v <= 0).any():
        return "a value is zero or negative, and a law in powers of compute is of positive values"
    distinct = 1 + int((np.diff(np.log(np.sort(c))) > 1e-3).sum()) if len(c) else 0
    if distinct < FEWEST:
        return f"a law needs {FEWEST} models of distinct compute; there are {distinct}"
    if c.max() / c.min() < DECADE * (1 - 1e-9):
        return (
            f"a law needs compute over a factor of {DECADE:g}; "
            f"these models span {c.max() / c.min():.1f}"
        )
    return None


def scaling_law(
    compute: ArrayLike,
    values: ArrayLike,
    std: ArrayLike | None = None,
    confidence: float = 0.95,
    *,
    common_std: ArrayLike | None = None,
    huber: bool = False,
) -> ScalingLaw:
    """Fit q = E + A C^-a to positive `values` (n,), lower being better, of models at `compute`
    (n,).

    `std`: standard error of each value, independent between models; `common_std`: of an error that
    all values share on top of it (a sampling seed, a reference). Both scalar or (n,). A missing
    standard error counts as the median of the others. `huber`: outlying models weigh less.

    Missing values are left out. Raises BadInput where `why_no_law` gives a reason.
    """
    reason = why_no_law(compute, values)
    if reason is not None:
        raise BadInput(f"no scaling law: {reason}")
    critical(confidence)  # a bad confidence is said before anything is fitted
    c, v, own, common = _usable(compute, values, std, common_std)
    return _fit(c, v, own, confidence, common, huber)


def _usable(
    compute: ArrayLike,
    values: ArrayLike,
    std: ArrayLike | None,
    common_std: ArrayLike | None,
) -> tuple[Array, Array, Array | None, Array | None]:
    c, v = np.atleast_1d(np.asarray(compute, float)), np.atleast_1d(np.asarray(values, float))
    if c.shape != v.shape or c.ndim != 1:
        raise BadInput(f"compute has shape {c.shape} and values {v.shape}; both must be (models,)")
    kept = np.isfinite(c) & (c > 0) & np.isfinite(v)

    def of(errors: ArrayLike | None) -> Array | None:
        if errors is None:
            return None
        try:
            e = np.broadcast_to(np.asarray(errors, float), c.shape)[kept]
        except ValueError as error:
            raise BadInput(f"standard errors must be one number or {c.shape}") from error
        return None if not np.isfinite(e).any() else e

    return c[kept], v[kept], of(std), of(common_std)


def _fit(
    compute: Array,
    values: Array,
    std: Array | None,
    confidence: float,
    common_std: Array | None,
    huber: bool,
) -> ScalingLaw:
    n, df = len(compute), len(compute) - 3
    logs = np.log(values)
    relative = _relative(std, values)
    common = np.zeros(n) if common_std is None else np.nan_to_num(common_std) / values
    t = critical(confidence, df)

    def residuals_of(covariance: Array) -> tuple[Array, int]:
        a, k, mean = surface(compute, logs, covariance, t**2).best
        power = (compute / compute.max()) ** -a
        # An offset at its bound was not fitted: its degree of freedom is the residuals'.
        return logs - mean - np.log((1 - k) * power + k), df + (k <= 0)

    weights, ease, residuals = _weighted(relative, common, residuals_of, df, confidence, huber)
    grid = surface(compute, logs, weights.covariance, weights.level**2)
    new_grid = grid
    if common.any():
        new_grid = surface(compute, logs, np.diag(weights.own), weights.level**2)
    a, k, mean = grid.best
    c_max = float(compute.max())
    level = weights.level**2

    holds_zero, log_share = grid.share_interval(level)
    e_logs = grid.shadow(log_share, mean + math.log(k) if k > 0 else -math.inf, level)
    offset = Interval(
        math.exp(mean) * k, 0.0 if holds_zero or k == 0 else math.exp(e_logs.low),
        math.exp(e_logs.high) if math.isfinite(e_logs.high) else 0.0,
    )  # fmt: skip
    exponent = grid.exponent_interval(level, grid.threshold_shares(confidence))

    def scale_of(one: Surface) -> Interval:
        log_scale = np.log1p(-one.share) + one.exponent[:, None] * math.log(c_max)
        return one.shadow(log_scale, mean + math.log1p(-k) + a * math.log(c_max), level)

    scale = weights.combined(scale_of, grid, new_grid, confidence)
    return ScalingLaw(
        offset=offset,
        scale=Interval(
            math.exp(scale.value),
            math.exp(scale.low),
            math.inf if math.isinf(exponent.high) else math.exp(scale.high),
        ),
        exponent=exponent,
        identifiable=offset.low > 0,
        tau=weights.tau,
        confidence=confidence,
        aicc=_aicc(residuals, relative**2, ease, 3),
        power_law=_power(compute, logs, relative, common, confidence, huber),
        compute=compute,
        values=values,
        std=std,
        common_std=common_std,
        huber=huber,
        _surface=grid,
        _new_surface=new_grid,
        _weights=weights,
    )


def _relative(std: Array | None, values: Array) -> Array:
    """Standard errors of the logarithms; the median where one is missing, 0 without any."""
    if std is None:
        return np.zeros(len(values))
    relative = np.abs(std) / values
    return np.where(np.isfinite(relative), relative, np.nanmedian(relative))


def _weighted(
    relative: Array,
    common: Array,
    residuals_of: Callable[[Array], tuple[Array, int]],
    df: int,
    confidence: float,
    huber: bool,
) -> tuple[_Weights, Array, Array]:
    """(weights, how much each residual counts, residuals): the scatter and the fit, in turns.

    `residuals_of`: covariance -> residuals and their degrees of freedom.
    """
    ease = np.ones(len(relative))
    variances = relative**2
    base = variances if relative.min() > 0 else ease
    residuals, free = residuals_of(np.diag(base) + np.outer(common, common))
    tau2 = 0.0
    for _ in range(6 if huber else 3):
        if huber:
            ease = _ease(residuals, relative, df)
        before, tau2 = tau2, _scatter(residuals, variances, ease, free)
        settled = relative.max() == 0 or abs(tau2 - before) <= 1e-3 * variances.mean()
        if settled and not huber:
            break
        residuals, free = residuals_of(
            np.diag((variances + tau2) / ease) + np.outer(common, common)
        )
    level, shrink = critical(confidence, df), 1.0
    if tau2 == 0.0:
        misfit = float((ease * residuals**2 / variances).sum())
        if scipy.stats.chi2.cdf(misfit, free) > SURPRISE:
            shrink = misfit / free
        else:
            level = critical(confidence)
    own = (variances * shrink + tau2) / ease
    new = float(np.median(relative)) ** 2 * shrink + tau2
    return _Weights(own, common, new, math.sqrt(tau2), level), ease, residuals


def _scatter(residuals: Array, variances: Array, ease: Array, df: int) -> float:
    """tau^2 at which the weighted squares of the residuals are their degrees of freedom."""
    squares = ease * residuals**2
    if variances.max() == 0:
        return max(float(squares.sum()) / df, 1e-18)

    def excess(tau2: float) -> float:
        return float((squares / np.maximum(variances + tau2, 1e-300)).sum()) - df

    if excess(0.0) <= 0:
        return 0.0
    return float(scipy.optimize.brentq(excess, 0.0, float(squares.sum()) / df + 1e-12, xtol=1e-15))


def _ease(residuals: Array, relative: Array, df: int) -> Array:
    """Huber's weights; the scale is the larger of the recorded error and the typical residual."""
    typical = 1.4826 * float(np.median(np.abs(residuals))) * math.sqrt(len(residuals) / df)
    size = np.abs(residuals) / np.maximum(np.maximum(relative, typical), 1e-12)
    return np.asarray(np.minimum(1.0, HUBER / np.maximum(size, 1e-12)))


def _power(
    compute: Array, logs: Array, relative: Array, common: Array, confidence: float, huber: bool
) -> PowerFit:
    """Generalised least squares of the logarithms, with a scatter of its own."""
    df = len(logs) - 2
    design = np.column_stack([np.ones(len(logs)), np.log(compute)])

    def solved(covariance: Array) -> tuple[Array, Array]:
        precision = np.linalg.inv(covariance)
        inverse = np.linalg.inv(design.T @ precision @ design)
        return inverse @ design.T @ precision @ logs, inverse

    def residuals_of(covariance: Array) -> tuple[Array, int]:
        return logs - design @ solved(covariance)[0], df

    weights, ease, residuals = _weighted(relative, common, residuals_of, df, confidence, huber)
    solution, inverse = solved(weights.covariance)
    half = weights.level * np.sqrt(np.diag(inverse))
    scale = Interval(*(math.exp(v) for v in
                       (solution[0], solution[0] - half[0], solution[0] + half[0])))  # fmt: skip
    slope = float(-solution[1])
    return PowerFit(
        scale,
        Interval(slope, float(slope - half[1]), float(slope + half[1])),
        _aicc(residuals, relative**2, ease, 2),
    )


def _aicc(residuals: Array, variances: Array, ease: Array, parameters: int) -> float:
    """Corrected AIC of normal errors on the log scale, the scatter being one more parameter."""
    n, k = len(residuals), parameters + 1
    if n - k - 1 <= 0:
        return math.inf
    squares = ease * residuals**2
    top = max(float(squares.max()), 1e-18)

    def surprise(log_tau2: float) -> float:
        v = variances + math.exp(log_tau2)
        return float((np.log(v) + squares / v).sum())

    found = scipy.optimize.minimize_scalar(
        surprise, bounds=(math.log(top) - 30, math.log(top) + 5), method="bounded"
    )
    return float(found.fun) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
