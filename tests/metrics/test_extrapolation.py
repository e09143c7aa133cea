from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.errors import BadInput
from harness.metrics import Moments, fd_infinity, frechet_distance
from harness.metrics.extrapolation import extrapolate

D = 16
REFERENCE = Moments(0, np.zeros(D), np.eye(D))


def sample(n: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, D)).astype(np.float32)


def test_it_comes_closer_to_the_truth_than_the_distance_of_all_samples():
    for shift in (0.0, 0.1):
        truth = D * shift**2  # unit covariances: only the means differ
        x = [sample(4000, shift, seed) for seed in range(5)]
        m = [Moments.of(v) for v in x]
        plain = np.mean([frechet_distance(v.mean, v.covariance, np.zeros(D), np.eye(D)) for v in m])
        extrapolated = np.mean([fd_infinity(v, REFERENCE) for v in x])
        assert abs(extrapolated - truth) < 0.5 * abs(plain - truth)


def test_the_bias_falls_with_one_over_n_which_is_what_the_line_rests_on():
    fit = extrapolate(sample(6000), REFERENCE, points=10)
    assert fit.sizes[0] == 600 and fit.sizes[-1] == 6000
    assert np.corrcoef(1 / np.array(fit.sizes), fit.distances)[0, 1] > 0.98
    assert fit.std > 0
    assert fit.distances[-1] == pytest.approx(
        frechet_distance(*_moments(sample(6000)), np.zeros(D), np.eye(D)), rel=1e-9
    )


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.astype(np.float64).mean(0), np.cov(x.astype(np.float64).T)


def test_the_seed_decides_the_subsets():
    x = sample(500)
    assert fd_infinity(x, REFERENCE, seed=1) == fd_infinity(x, REFERENCE, seed=1)
    assert fd_infinity(x, REFERENCE, seed=1) != fd_infinity(x, REFERENCE, seed=2)


def test_too_few_samples_are_refused():
    with pytest.raises(BadInput, match="10 samples are too few"):
        fd_infinity(sample(10), REFERENCE)


def test_it_is_the_intercept_of_a_line_through_distances_of_nested_subsets():
    x, sizes = sample(700, 0.2).astype(np.float64), [100, 250, 400, 550, 700]
    fit = extrapolate(x, REFERENCE, points=5, smallest=100, seed=4)
    assert fit.sizes == tuple(sizes)
    order = np.random.default_rng(4).permutation(700)
    distances = []
    for n in sizes:
        rows = x[order[:n]]
        mean, roots = rows.mean(0), np.sqrt(np.linalg.eigvalsh(np.cov(rows.T)))
        distances.append(float(mean @ mean + np.square(roots - 1).sum()))
    assert fit.distances == pytest.approx(distances, rel=1e-9)
    line = stats.linregress(1 / np.array(sizes), distances)
    assert fit.value == pytest.approx(line.intercept, rel=1e-9)
    assert fit.std == pytest.approx(line.intercept_stderr, rel=1e-9)


def test_subsets_smaller_than_the_dimensions_are_warned_of():
    with pytest.warns(UserWarning, match="30 samples for 16 dimensions: subsets of 15"):
        fd_infinity(sample(30), REFERENCE, points=5)
