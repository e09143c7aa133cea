from __future__ import annotations

import numpy as np
import pytest

from harness.errors import BadInput
from harness.metrics import Moments
from harness.metrics.frechet import moments_distance
from harness.metrics.uncertainty import of_mean, over_halves, over_seeds

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


def test_the_spread_over_seeds_needs_two():
    assert over_seeds(np.array([1.0, 3.0])) == pytest.approx(np.sqrt(2))
    with pytest.raises(BadInput, match="at least 2 seeds"):
        over_seeds(np.array([1.0]))
    with pytest.raises(BadInput, match="at least 2 halves"):
        over_halves(np.ones((10, 2)), Moments.of(np.eye(2)), 1)


def test_at_the_floor_the_spread_of_halves_is_an_upper_bound():
    reference = Moments(0, np.zeros(D), np.eye(D))
    draws = [np.random.default_rng(s).normal(size=(1000, D)) for s in range(60)]
    true = np.std([moments_distance(Moments.of(x), reference) for x in draws], ddof=1)
    estimated = np.mean([over_halves(x, reference, 20, seed=1) for x in draws[:15]])
    assert true < estimated < 3 * true
