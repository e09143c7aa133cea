"""How much a value would change with other samples, where that can be said honestly.

- Frechet distance: delete-half jackknife (Shao & Wu 1989). Random halves without replacement; with
  half of the samples left out, the spread of the halves' values estimates the standard error of
  the whole set's value, although each half is biased upwards. Near the floor, where the distance is
  quadratic in what differs, it is an upper bound (measured: 1.1 times the spread of independent
  sets at a distance well above the floor, 1.8 to 2.2 times it at the floor). A bootstrap with
  replacement would bring duplicates, which shrink the covariance, and is not valid here.
- Precision, recall, density, coverage: standard error of a mean over images, with the balls held
  fixed. Resampled images would be their own nearest neighbours, so the balls are not bootstrapped.
- Inception Score: the deviation over chunks, over the root of their number.
- KID and the extrapolated distance: delete-half jackknife of the whole estimate, in pairs of halves
  (`of_halves`). Their papers report a spread over subsets, and over the points of a line, which
  share their samples: neither is the error of what is reported (the line's was 3 to 6 times too
  small).

The spread over sampling seeds contains the model's own and is found from several runs, not here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import BadInput
from harness.metrics.moments import Moments

HALVES = 20  # of the whole estimate: ten pairs
OVER_HALVES = "delete-half jackknife over the samples, {} random halves without replacement"
WHOLE = "standard error: delete-half jackknife of the whole estimate, {} pairs of halves"
CHUNKS = "standard error of the mean over {} chunks"
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


def of_chunks(values: NDArray[Any]) -> tuple[float, float] | None:
    """(standard error, degrees of freedom) of a mean over chunks, as the Inception Score is.

    The deviation over chunks is of one chunk; their mean is surer by the root of their number. The
    degrees are chunks - 1. None with a single chunk.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < 2:
        return None
    return float(np.std(array, ddof=1) / np.sqrt(len(array))), float(len(array) - 1)


def of_halves(
    estimate: Callable[[NDArray[np.intp]], float], samples: int, halves: int = HALVES, seed: int = 0
) -> tuple[float, float]:
    """(standard error, degrees of freedom) of a whole estimate, by the delete-half jackknife.

    `estimate`: sorted indices of the kept samples -> the value found from them alone; all of it is
    repeated (every subset of KID, the whole line of fd_infinity), since a spread over parts of one
    estimate is not that of the estimate. Halves come in pairs that complement one another, and the
    error is half of the root mean square of their differences: what halves have in common, as
    their bias, falls out. Degrees of freedom: the number of pairs.

    Raises BadInput: fewer than 2 halves or 4 samples, or a half without a finite value.
    """
    if halves < 2 or samples < 4:
        raise BadInput("a standard error needs at least 2 halves of at least 2 samples each")
    rng = np.random.default_rng(seed)
    squares = []
    for _ in range(halves // 2):
        order = rng.permutation(samples)
        size = samples // 2
        pair = [estimate(np.sort(part)) for part in (order[:size], order[size : 2 * size])]
        if not np.isfinite(pair).all():
            raise BadInput("an estimate of half of the samples is not finite; no standard error")
        squares.append((pair[0] - pair[1]) ** 2 / 4)
    return float(np.sqrt(np.mean(squares))), float(len(squares))


def halves_of(
    features: NDArray[np.float32],
    estimate: Callable[[NDArray[np.float32]], float],
    seed: int = 0,
) -> tuple[float | None, float | None]:
    """`of_halves` of an estimate from feature rows (N, D); (None, None) where halves are too few.

    What the whole warned of, its halves are not asked to repeat.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return of_halves(lambda kept: estimate(features[kept]), len(features), seed=seed)
        except BadInput:
            return None, None
