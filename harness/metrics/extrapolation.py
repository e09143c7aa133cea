"""Frechet distance at infinitely many samples (Chong & Forsyth 2020).

The distance of N samples is biased upwards by about c / N, with a c that depends on the model, so
two models cannot be compared at a small N. A line through the distances of subsets of growing size,
against 1 / N, meets 1 / N = 0 at the unbiased value.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.metrics.frechet import moments_distance
from harness.metrics.moments import Moments, MomentsAccumulator, checked


@dataclass(frozen=True)
class Extrapolation:
    """Intercept and the points of the line."""

    value: float
    std: float  # of the line through these points, which share samples: not the value's error
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


def fd_infinity(features: ArrayLike, reference: Moments, points: int = 15, seed: int = 0) -> float:
    """Frechet distance of features (N, D) to `reference`, extrapolated to infinitely many samples.

    It can fall a little below 0 for a perfect model. Raises BadInput when the samples are too few
    for `points` different sizes.
    """
    return extrapolate(features, reference, points=points, seed=seed).value


def extrapolate(
    features: ArrayLike,
    reference: Moments,
    *,
    points: int = 15,
    smallest: int | None = None,
    seed: int = 0,
) -> Extrapolation:
    """Like `fd_infinity`, with the line's points. `smallest`: size of the smallest subset.

    By default it is a tenth of the samples, at least twice the dimensions where there are
    that many: with a rank-deficient covariance the bias is no longer linear in 1 / N.
    """
    rows: NDArray[np.floating] = checked(features)
    n, d = rows.shape
    low = smallest if smallest is not None else min(max(n // 10, 2 * d), n // 2)
    if points < 3 or low < 2 or n - low < points:
        raise BadInput(
            f"{n} samples are too few to extrapolate from {points} sizes between {low} and {n}"
        )
    if low <= d:
        warnings.warn(
            f"{n} samples for {d} dimensions: subsets of {low} have rank-deficient covariances, "
            "whose bias is not linear in 1/N; the extrapolated distance is not to be relied on",
            stacklevel=2,
        )
    sizes = np.linspace(low, n, points).round().astype(int)
    order = np.random.default_rng(seed).permutation(n)
    accumulator = MomentsAccumulator()
    distances = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small subsets are the point here
        for start, stop in zip([0, *sizes[:-1]], sizes, strict=True):
            # Each subset continues the last one, so every sample is multiplied only once.
            accumulator.update(rows[np.sort(order[start:stop])])
            distances.append(moments_distance(accumulator.finish(), reference))
    design = np.stack([np.ones(points), 1.0 / sizes], axis=1)
    solution, *_ = np.linalg.lstsq(design, np.array(distances), rcond=None)
    residuals = np.array(distances) - design @ solution
    variance = float(residuals @ residuals) / (points - 2)
    std = float(np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0]))
    return Extrapolation(
        float(solution[0]), std, tuple(int(s) for s in sizes), tuple(float(v) for v in distances)
    )
