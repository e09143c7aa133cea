"""The misfit of q = E + A C^-a over all its parameters, and the intervals that are read from it.

On a log scale, with u = C / C_max and M the mean at the largest compute,

    log q = log M + log((1 - k) u^-a + k)        k in [0, 1): the share of E at the largest compute

is linear in log M, which is profiled out in closed form (variable projection, Golub & Pereyra
1973); E = M k and A = M (1 - k) C_max^a are never negative. What is left is a surface of the
weighted misfit over (a, k), known on a grid that three passes draw ever closer around its low
region.

A profile-likelihood interval of any quantity is the shadow of the region {misfit <= least + t^2} on
that quantity. So all intervals, of parameters and of predictions, come from one surface. Near k = 0
the threshold of the exponent and of a mean is another one (harness.analysis.bounded).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.analysis.bounded import threshold_share
from harness.analysis.intervals import Array, Interval

STEEPEST = 8.0  # the exponents searched end here; an interval that reaches it is open
EXPONENTS = np.concatenate([np.linspace(0, 1.2, 49), np.geomspace(1.23, STEEPEST, 28)])
SHARES = np.concatenate([np.linspace(0, 0.9, 31), 1 - np.geomspace(0.09, 0.002, 10)])
ROWS, COLUMNS = 61, 41  # of the finer passes
NO_SHARE = 1e-5  # in place of k = 0 where a direction away from it is asked


@dataclass(frozen=True)
class Surface:
    """Misfit over a grid: `exponent` (R,), and (R, K) each: share, misfit, log mean at C_max."""

    exponent: Array
    share: Array
    misfit: Array
    log_mean: Array
    log_mean_variance: float  # given exponent and share
    largest: float  # C_max
    log_u: Array  # (n,) of the models
    whitening: Array  # (n, n), lower: W with W W' = the inverse of the covariance
    best: tuple[float, float, float]  # exponent, share, log mean of least misfit
    least: float  # misfit there

    def curve(self, compute: float) -> Array:
        """log((1 - k) u^-a + k) over the grid, for one compute."""
        power = np.exp(-self.exponent * np.log(compute / self.largest))[:, None]
        return np.asarray(np.log((1 - self.share) * power + self.share))

    def shadow(
        self, quantity: Array, value: float, threshold: float | Array, variance: float = 0.0
    ) -> Interval:
        """Interval of (log mean at C_max + `quantity`), all on the log scale.

        `quantity` (R, K) is a function of exponent and share; `value` the estimate; `threshold` one
        for all or (R, K). `variance` is added: that of a new measurement.
        """
        slack = self.least + threshold - self.misfit
        inside = slack >= 0
        reach = np.sqrt(np.maximum(slack, 0) * (self.log_mean_variance + variance))
        # The best point itself may lie between the grid's: it belongs to the region.
        least = np.broadcast_to(threshold, self.misfit.shape).flat[int(self.misfit.argmin())]
        own = np.sqrt(least * (self.log_mean_variance + variance))
        centre = quantity + self.log_mean
        low = float(np.where(inside, centre - reach, np.inf).min())
        high = float(np.where(inside, centre + reach, -np.inf).max())
        return Interval(value, min(low, value - own), max(high, value + own))

    def threshold_shares(self, confidence: float, compute: float | None = None) -> Array:
        """(R, K): the threshold of the mean at `compute`, or of the exponent, as a share of that
        far from k = 0, were the truth at each point of the grid.

        The bound is all laws without an offset; the ray to it has the same exponent, or the same
        mean at `compute`. Both are straight on the log scale, so that each distance is that of a
        regression on log u.
        """
        laws, to_bound = self._beside_bound
        if compute is None:
            one = np.ones_like(self.log_u)
            along = self._distance(laws + self.exponent[:, None, None] * self.log_u, one)
        else:
            at = float(np.log(compute / self.largest))
            k = np.maximum(self.share, NO_SHARE)
            there = np.log((1 - k) * np.exp(-self.exponent[:, None] * at) + k)
            along = self._distance(laws - there[..., None], self.log_u - at)
        distance = np.where(self.share > 0, to_bound, 0.0)
        slant = to_bound / np.maximum(along, 1e-300)
        return threshold_share(slant, distance, confidence)

    @cached_property
    def _beside_bound(self) -> tuple[Array, Array]:
        """The laws of the grid at the models (R, K, n), none on the bound, and their distances from
        it (R, K)."""
        k = np.maximum(self.share, NO_SHARE)[..., None]
        power = np.exp(-self.exponent[:, None] * self.log_u)[:, None, :]
        laws = np.log((1 - k) * power + k)
        return laws, self._distance(laws, np.ones_like(self.log_u), self.log_u)

    def _distance(self, laws: Array, *regressors: Array) -> Array:
        """Of each of `laws` (R, K, n) from all sums of the regressors (n,), in standard errors."""
        basis, _ = np.linalg.qr(self.whitening.T @ np.stack(regressors, axis=1))
        laws = laws @ self.whitening
        return np.asarray(np.linalg.norm(laws - (laws @ basis) @ basis.T, axis=-1))

    def exponent_interval(self, threshold: float, shares: Array | None = None) -> Interval:
        """Interval of a, by the profile over the share; (0, inf) where the search ends first.

        `shares`: of the threshold, as `threshold_shares` gives them; None: all of it.
        """
        profile = np.sqrt(np.maximum(self.misfit.min(axis=1) - self.least, 0))
        if shares is not None:
            each = np.arange(len(self.exponent))
            profile /= np.sqrt(shares[each, self.misfit.argmin(axis=1)])
        level, a = np.sqrt(threshold), self.exponent
        inside = np.flatnonzero(profile <= level)
        value = self.best[0]
        if not len(inside):  # the region fits between two rows
            return Interval(value, value, value)

        def edge(last: int, beyond: int) -> float:
            if not 0 <= beyond < len(a):
                return float(a[last])
            part = (level - profile[last]) / (profile[beyond] - profile[last])
            return float(a[last] + (a[beyond] - a[last]) * part)

        low, high = edge(inside[0], inside[0] - 1), edge(inside[-1], inside[-1] + 1)
        if high >= STEEPEST:
            high = np.inf
        return Interval(value, min(low, value), max(high, value))

    def share_interval(self, threshold: float) -> tuple[bool, Array]:
        """(does the region hold k = 0?, log k over the grid)."""
        inside = self.misfit <= self.least + threshold
        with np.errstate(divide="ignore"):
            logs = np.log(self.share)
        return bool((inside & (self.share == 0)).any()), logs


def surface(compute: Array, log_values: Array, covariance: Array, threshold: float) -> Surface:
    """The surface of values with this covariance (n, n) of their logarithms, around its least.

    It is fine where the misfit is within `threshold` of the least.
    """
    log_u = np.log(compute / compute.max())
    precision: Array = np.asarray(np.linalg.inv(covariance), float)
    a = EXPONENTS
    share = np.broadcast_to(SHARES, (len(a), len(SHARES)))
    misfit, mean = _misfit(a, share, log_u, log_values, precision)
    for _ in range(2):
        a, share = _closer(a, share, misfit, threshold)
        misfit, mean = _misfit(a, share, log_u, log_values, precision)
    best, least = _polished(a, share, misfit, log_u, log_values, precision)
    return Surface(
        exponent=a, share=share, misfit=misfit, log_mean=mean,
        log_mean_variance=float(1 / precision.sum()), largest=float(compute.max()), log_u=log_u,
        whitening=np.asarray(np.linalg.cholesky(precision), float), best=best, least=least,
    )  # fmt: skip


def _misfit(
    a: Array, share: Array, log_u: Array, log_values: Array, precision: Array
) -> tuple[Array, Array]:
    """(misfit, log mean), each (R, K), at exponents (R,) and shares (R, K)."""
    power = np.exp(-a[:, None] * log_u)[:, None, :]
    k = share[..., None]
    gap = log_values - np.log((1 - k) * power + k)
    sums = precision.sum(axis=0)
    mean = gap @ sums / sums.sum()
    gap -= mean[..., None]
    # Squares of whitened gaps: no difference of large numbers, which would leave nothing of a
    # small one.
    return np.square(gap @ np.linalg.cholesky(precision)).sum(axis=-1), mean


def _closer(a: Array, share: Array, misfit: Array, threshold: float) -> tuple[Array, Array]:
    """A finer grid over the low region: rows of a, each with its own window of shares."""
    profile = misfit.min(axis=1)
    ceiling = misfit.min() + 1.5 * threshold
    rows = np.flatnonzero(profile <= ceiling)  # never empty: the least is one of them
    first, last = max(0, rows[0] - 1), min(len(a) - 1, rows[-1] + 1)
    inside = misfit <= np.maximum(ceiling, profile[:, None] + threshold)
    columns = np.arange(share.shape[1])
    left = np.where(inside, columns, len(columns)).min(axis=1) - 1
    right = np.where(inside, columns, -1).max(axis=1) + 1
    each = np.arange(len(a))
    low = share[each, np.maximum(left, 0)]
    high = share[each, np.minimum(right, len(columns) - 1)]
    # A row between two others may need what either of them needs.
    low = np.minimum(low, np.minimum(np.append(low[1:], low[-1]), np.append(low[0], low[:-1])))
    high = np.maximum(
        high, np.maximum(np.append(high[1:], high[-1]), np.append(high[0], high[:-1]))
    )
    finer = np.linspace(a[first], a[last], ROWS)
    start, stop = np.interp(finer, a, low), np.interp(finer, a, high)
    return finer, start[:, None] + (stop - start)[:, None] * np.linspace(0, 1, COLUMNS)


def _polished(
    a: Array, share: Array, misfit: Array, log_u: Array, log_values: Array, precision: Array
) -> tuple[tuple[float, float, float], float]:
    """The least misfit, from the grid's lowest point on: Gauss-Newton steps that stay in bounds."""
    row, column = np.unravel_index(int(misfit.argmin()), misfit.shape)
    x = np.array([a[row], share[row, column]])
    least, mean, step = _newton(x, log_u, log_values, precision)
    size = 1.0
    for _ in range(40):
        tried = np.clip(x + size * step, 0.0, (STEEPEST, SHARES[-1]))
        lower, tried_mean, next_step = _newton(tried, log_u, log_values, precision)
        if lower < least:
            done = least - lower <= 1e-12 * (1 + least)
            x, least, mean, step, size = tried, lower, tried_mean, next_step, 1.0
            if done:
                break
        else:
            size /= 4
            if size < 1e-4:
                break
    return (float(x[0]), float(x[1]), mean), least


def _newton(
    x: Array, log_u: Array, log_values: Array, precision: Array
) -> tuple[float, float, Array]:
    """(misfit, log mean, step in exponent and share) at one point; at k = 0 the share may stay."""
    a, k = x
    power = np.exp(-a * log_u)
    inner = (1 - k) * power + k
    gap = log_values - np.log(inner)
    sums = precision.sum(axis=0)
    total = sums.sum()
    mean = float(sums @ gap / total)
    gap = gap - mean
    slopes = np.stack([-(1 - k) * power * log_u, 1 - power]) / inner
    slopes = slopes - (slopes @ sums / total)[:, None]
    weighted = slopes @ precision
    gradient, curvature = weighted @ gap, weighted @ slopes.T
    step = np.zeros(2)
    determinant = curvature[0, 0] * curvature[1, 1] - curvature[0, 1] ** 2
    if determinant > 1e-14 * curvature[0, 0] * curvature[1, 1] > 0:
        step = np.linalg.solve(curvature, gradient)
    if (k <= 0 and step[1] <= 0) or not step.any():
        step = np.array([gradient[0] / curvature[0, 0] if curvature[0, 0] > 0 else 0.0, 0.0])
    return float(gap @ precision @ gap), mean, step
