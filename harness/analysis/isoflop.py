"""The compute-optimal model per training budget, and the law of its size (IsoFLOP analysis).

Quality over model compute F (Gflops of one image) and training images D is the surface of Hoffmann
et al. (2022), q = E + A F^-alpha + B D^-beta with E, A, B >= 0. At a budget C = factor x F x D its
best F grows as C^(beta / (alpha + beta)). The surface is fitted by variable projection over
(alpha, beta) to all points at once: parabolas through each budget's points, the usual way, are
biased (arXiv 2603.22339). Intervals are profile likelihood with Student's t of n - 5 degrees.
arXiv 2410.08184 is the field's reference for diffusion transformers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy
from numpy.typing import ArrayLike

from harness.analysis.intervals import Array, Interval, critical
from harness.errors import BadInput

FACTOR = 3.0  # training compute = Gflops x images x 3 (the paper's estimate)
POINTS = 41  # of the grid, each way
STEEPEST = 3.0


@dataclass(frozen=True)
class Surface:
    """q = offset + size_scale F^-alpha + data_scale D^-beta."""

    offset: float
    size_scale: float
    data_scale: float
    alpha: float
    beta: float
    exponent: Interval  # of the best F with the budget: beta / (alpha + beta)
    points: int
    _alphas: Array  # (K,) of the region that the intervals are shadows of
    _betas: Array
    _log_ratio: Array  # (K,) log(A / B) at each, and how far it may move there
    _reach: Array
    _factor: float

    def at(self, gflops: ArrayLike, images: ArrayLike) -> Array:
        """The fitted values, shapes broadcast."""
        f, d = np.asarray(gflops, float), np.asarray(images, float)
        return np.asarray(
            self.offset + self.size_scale * f**-self.alpha + self.data_scale * d**-self.beta
        )

    def optimum(self, budget: float) -> Interval:
        """Gflops of the best model at a training budget in Gflops, with its interval."""
        images = math.log(budget / self._factor)

        def log_best(a: Array, b: Array, ratio: Array) -> Array:
            return np.asarray((np.log(a / b) + ratio + b * images) / (a + b))

        ratio = math.log(self.size_scale / self.data_scale)
        value = float(log_best(np.array(self.alpha), np.array(self.beta), np.array(ratio)))
        low = log_best(self._alphas, self._betas, self._log_ratio - self._reach).min()
        high = log_best(self._alphas, self._betas, self._log_ratio + self._reach).max()
        with np.errstate(over="ignore"):  # a side that the values do not bound is infinite
            ends = np.exp([value, min(value, low), max(value, high)])
        return Interval(*(float(end) for end in ends))


def surface(
    gflops: ArrayLike,
    images: ArrayLike,
    values: ArrayLike,
    std: ArrayLike | None = None,
    confidence: float = 0.95,
    factor: float = FACTOR,
) -> Surface:
    """Fit the surface to `values` (n,) of models of `gflops` trained on `images`, lower being
    better.

    `std`: standard errors; their common scale is taken from the residuals unless these scatter less
    than one time in a hundred would, given the errors. Without them all relative errors are equal.
    Only checkpoints of a constant rate, or of a decay that has finished, belong on one surface.
    Missing values are left out. Raises BadInput: fewer than eight points, fewer than three sizes or
    amounts of data, values that are not positive, a surface that does not depend on one of the two.
    """
    f, d, y = (np.asarray(v, float) for v in (gflops, images, values))
    kept = np.isfinite(f) & np.isfinite(d) & np.isfinite(y) & (f > 0) & (d > 0)
    s = None if std is None else np.broadcast_to(np.asarray(std, float), f.shape)[kept]
    f, d, y = f[kept], d[kept], y[kept]
    if len(y) < 8 or len(np.unique(f)) < 3 or len(np.unique(d)) < 3:
        raise BadInput(
            f"an IsoFLOP surface needs eight points of three sizes and three amounts of data; "
            f"there are {len(y)} of {len(np.unique(f))} and {len(np.unique(d))}"
        )
    if (y <= 0).any():
        raise BadInput("an IsoFLOP surface is of positive values")
    unit = float(np.exp(np.log(y).mean()))  # squares of values in any unit stay finite
    y, s = y / unit, None if s is None else s / unit
    known = s is not None and bool((np.isfinite(s) & (s > 0)).all())
    sigma = s if known and s is not None else y
    left = len(y) - 5
    x1, x2 = np.log(f / np.exp(np.log(f).mean())), np.log(d / np.exp(np.log(d).mean()))
    alphas = betas = np.linspace(0.01, STEEPEST, 2 * POINTS)
    level = critical(confidence, left)
    misfit, ratio, spread = _grid(alphas, betas, x1, x2, y, sigma)
    for _ in range(4):
        scale = float(misfit.min()) / left
        inside = misfit <= misfit.min() + 2 * level**2 * scale
        alphas, betas = (_closer(axis, inside.any(axis=1 - i)) for i, axis in
                         enumerate((alphas, betas)))  # fmt: skip
        misfit, ratio, spread = _grid(alphas, betas, x1, x2, y, sigma)
    scale = max(float(misfit.min()) / left, 1e-24)
    if known and scipy.stats.chi2.cdf(misfit.min(), left) < 0.01:
        scale, level = 1.0, critical(confidence)
    row, column = np.unravel_index(int(misfit.argmin()), misfit.shape)
    alpha, beta = float(alphas[row]), float(betas[column])
    offset, size, data = _solved(alpha, beta, x1, x2, y, sigma)
    slack = misfit.min() + level**2 * scale - misfit
    region = (slack >= 0) & np.isfinite(ratio)
    if size <= 0 or data <= 0 or not region.any():
        raise BadInput("quality does not depend on both model size and data; no compute optimum")
    a, b = np.broadcast_arrays(alphas[:, None], betas)
    shares = (b / (a + b))[region]
    value = beta / (alpha + beta)
    # A and B are of centred logarithms here; those of the units themselves differ by powers.
    mean_f, mean_d = float(np.log(f).mean()), float(np.log(d).mean())
    return Surface(
        offset * unit,
        size * unit * math.exp(alpha * mean_f),
        data * unit * math.exp(beta * mean_d),
        alpha,
        beta,
        Interval(value, float(shares.min()), float(shares.max())),
        len(y),
        a[region],
        b[region],
        ratio[region] + a[region] * mean_f - b[region] * mean_d,
        np.sqrt(slack[region]) * spread[region],
        factor,
    )


def _closer(axis: Array, inside: Array) -> Array:
    rows = np.flatnonzero(inside)
    low, high = axis[max(0, rows[0] - 1)], axis[min(len(axis) - 1, rows[-1] + 1)]
    return np.linspace(low, high, POINTS)


def _grid(
    alphas: Array, betas: Array, x1: Array, x2: Array, y: Array, sigma: Array
) -> tuple[Array, Array, Array]:
    """(misfit, log(A / B), its deviation for unit errors), each (alphas, betas)."""
    design = np.empty((len(alphas), len(betas), len(y), 3))
    design[..., 0] = 1
    design[..., 1] = np.exp(-alphas[:, None] * x1)[:, None, :]
    design[..., 2] = np.exp(-betas[:, None] * x2)[None, :, :]
    weighted = design / sigma[:, None]
    target = y / sigma
    gram = np.einsum("abni,abnj->abij", weighted, weighted)
    right = np.einsum("abni,n->abi", weighted, target)
    total = float(target @ target)
    misfit = np.full(gram.shape[:2], np.inf)
    best = np.zeros((*gram.shape[:2], 3))
    # The least over E, A, B >= 0 is the least over subsets whose solution is positive.
    for count in (1, 2, 3):
        for chosen in combinations(range(3), count):
            part = np.ix_(range(len(alphas)), range(len(betas)), chosen, chosen)
            ridge = 1e-13 * np.trace(gram[part], axis1=-2, axis2=-1)[..., None, None]
            solution = np.linalg.solve(
                gram[part] + ridge * np.eye(count), right[..., list(chosen)][..., None]
            )[..., 0]
            value = total - np.einsum("abi,abi->ab", right[..., list(chosen)], solution)
            better = (solution >= 0).all(axis=-1) & (value < misfit)
            misfit = np.where(better, value, misfit)
            full = np.zeros_like(best)
            full[..., list(chosen)] = solution
            best = np.where(better[..., None], full, best)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(best[..., 1] / best[..., 2])
        slopes = np.stack([np.zeros_like(ratio), 1 / best[..., 1], -1 / best[..., 2]], axis=-1)
        inverse = np.linalg.pinv(gram, hermitian=True)
        spread = np.sqrt(np.einsum("abi,abij,abj->ab", slopes, inverse, slopes))
    return np.maximum(misfit, 0), ratio, np.nan_to_num(spread)


def _solved(
    alpha: float, beta: float, x1: Array, x2: Array, y: Array, sigma: Array
) -> tuple[float, float, float]:
    design = np.column_stack([np.ones(len(y)), np.exp(-alpha * x1), np.exp(-beta * x2)])
    (e, a, b), _ = scipy.optimize.nnls(design / sigma[:, None], y / sigma)
    return float(e), float(a), float(b)
