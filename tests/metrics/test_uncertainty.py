from __future__ import annotations

import numpy as np
import pytest

from harness.errors import BadInput
from harness.metrics import Moments
from harness.metrics.extrapolation import fd_infinity
from harness.metrics.frechet import moments_distance
from harness.metrics.kernel import kid
from harness.metrics.uncertainty import of_chunks, of_halves, of_mean, over_halves

D = 8


def test_the_spread_of_halves_estimates_the_spread_over_independent_samples():
    reference = Moments(0, np.full(D, 0.3), np.eye(D))
    draws = [np.random.default_rng(s).normal(size=(1000, D)) for s in range(60)]
    true = np.std([moments_distance(Moments.of(x), reference) for x in draws], ddof=1)
    estimated = np.mean([over_halves(x, reference, 20, seed=1) for x in draws[:15]])
    assert estimated == pytest.approx(true, rel=0.3)


def test_the_standard_error_of_a_share_is_the_binomial_one():
    inside = np.array([True] * 30 + [False] * 70)
    assert of_mean(inside) == pytest.approx(np.sqrt(0.3 * 0.7 / 99))
    assert of_mean(inside[:1]) is None


def test_a_spread_of_halves_needs_two():
    with pytest.raises(BadInput, match="at least 2 halves"):
        over_halves(np.ones((10, 2)), Moments.of(np.eye(2)), 1)


def test_at_the_floor_the_spread_of_halves_is_an_upper_bound():
    reference = Moments(0, np.zeros(D), np.eye(D))
    draws = [np.random.default_rng(s).normal(size=(1000, D)) for s in range(60)]
    true = np.std([moments_distance(Moments.of(x), reference) for x in draws], ddof=1)
    estimated = np.mean([over_halves(x, reference, 20, seed=1) for x in draws[:15]])
    assert true < estimated < 3 * true


def test_the_error_of_a_mean_over_chunks_is_smaller_by_the_root_of_their_number():
    error, df = of_chunks(np.array([2.0, 2.2, 1.9, 2.1]))
    assert error == pytest.approx(np.std([2.0, 2.2, 1.9, 2.1], ddof=1) / 2) and df == 3
    assert of_chunks(np.array([2.0])) is None


def test_halves_of_a_mean_give_its_standard_error():
    rng = np.random.default_rng(0)
    found = [of_halves(lambda i, x=x: x[i].mean(), 400, 40) for x in rng.normal(size=(60, 400))]
    assert np.sqrt(np.mean([e**2 for e, _ in found])) == pytest.approx(1 / 20, rel=0.1)
    assert found[0][1] == 20


@pytest.mark.slow
def test_halves_of_the_whole_kernel_distance_and_extrapolation_give_their_spread():
    """Over independent samples; the bias of halves, which is larger than the whole's, falls out."""
    reference = Moments(0, np.full(D, 0.3), np.eye(D))
    real = np.random.default_rng(99).normal(size=(400, D))

    def infinity(x):
        return fd_infinity(x, reference, points=8, seed=1)

    def kernel(x):
        return kid(x, real, subsets=4, subset_size=min(150, len(x)), seed=3)

    for whole in (infinity, kernel):
        draws = [np.random.default_rng(s).normal(size=(400, D)) + 0.2 for s in range(40)]
        true = np.std([whole(x) for x in draws], ddof=1)
        seen = [of_halves(lambda i, x=x, f=whole: f(x[i]), 400, 12)[0] for x in draws[:12]]
        assert np.sqrt(np.mean(np.square(seen))) == pytest.approx(true, rel=0.45)


def test_too_few_halves_and_values_that_are_not_finite_are_refused():
    with pytest.raises(BadInput, match="at least 2 halves"):
        of_halves(lambda i: 0.0, 3)
    with pytest.raises(BadInput, match="not finite"):
        of_halves(lambda i: np.nan, 10)
