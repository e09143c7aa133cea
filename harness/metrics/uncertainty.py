"""How much a value would change with other samples, where that can be said honestly.

- Frechet distance: delete-half jackknife (Shao & Wu 1989). Random halves without replacement; with
  half of the samples left out, the spread of the halves' values estimates the standard error of
  the whole set's value, although each half is biased upwards. Near the floor, where the distance is
  quadratic in what differs, it is an upper bound (measured: 1.1 times the spread of independent
  sets at a distance well above the floor, 1.8 to 2.2 times it at the floor). A bootstrap with
  replacement would bring duplicates, which shrink the covariance, and is not valid here.
- Precision, recall, density, coverage: standard error of a mean over images, with the balls held
  fixed. Resampled images would be their own nearest neighbours, so the balls are not bootstrapped.
- Inception Score and KID: the spread over chunks and subsets, as their papers report it.

The spread over sampling seeds contains the model's own and is found from several runs, not here.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import BadInput
from harness.metrics.moments import Moments

HALVES = "delete-half jackknife over the samples, {} random halves without replacement"
GIVEN_BALLS = "standard error of the mean over images, given the neighbour balls"


def over_halves(
    features: NDArray[np.float32], reference: Moments, halves: int, seed: int = 0
) -> float:
    """Standard error of the Frechet distance of `features` (N, D), from random halves of them.

    Raises BadInput: fewer than 2 halves or 4 samples.
    """
    from harness.metrics.frechet import moments_distance

    if halves < 2 or len(features) < 4:
        raise BadInput("a spread needs at least 2 halves of at least 2 samples each")
    rng = np.random.default_rng(seed)
    values = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that halves are small is known; the whole set has warned
        for _ in range(halves):
            chosen = np.sort(rng.permutation(len(features))[: len(features) // 2])
            values.append(moments_distance(Moments.of(features[chosen]), reference))
    return float(np.std(values, ddof=1))


def of_mean(values: NDArray[Any]) -> float | None:
    """Standard error of the mean of one value per image; None with a single image."""
    if len(values) < 2:
        return None
    return float(np.std(values.astype(np.float64), ddof=1) / np.sqrt(len(values)))


def over_seeds(values: NDArray[Any]) -> float:
    """Standard deviation of one metric over sampling seeds. BadInput with fewer than 2."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise BadInput("a spread over seeds needs the values of at least 2 seeds")
    return float(np.std(array, ddof=1))
