"""The threshold against plain regressions with a coefficient that may not be negative."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.analysis.bounded import threshold_share

THRESHOLD = float(stats.chi2.ppf(0.95, 1))


def ratios(slant, distance, draws, seed=0):
    """Likelihood ratios of a coefficient at its truth, in simulated regressions.

    Of two coefficients the other may not be negative; its truth is so large that the laws without
    it are `distance` away, and their columns have that angle.
    """
    rng = np.random.default_rng(seed)
    n = 6
    asked, other = np.linalg.qr(rng.normal(size=(n, 2)))[0].T
    columns = np.stack([asked, math.sqrt(1 - slant**2) * asked + slant * other])
    truth = distance / slant
    y = truth * columns[1] + rng.normal(size=(draws, n))

    def left(of, basis):
        return np.square(of).sum(axis=1) - np.square(of @ np.linalg.qr(basis.T)[0]).sum(axis=1)

    free = np.linalg.lstsq(columns.T, y.T, rcond=None)[0][1] >= 0
    best = np.where(free, left(y, columns), left(y, columns[:1]))  # only the other, or both
    alone = y @ columns[1] / (columns[1] @ columns[1])
    held = np.square(y - np.maximum(alone, 0)[:, None] * columns[1]).sum(axis=1)
    return held - best


@pytest.mark.slow
@pytest.mark.parametrize("slant", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("distance", [0.0, 0.04, 0.5, 2.0])
def test_below_it_are_as_many_ratios_as_it_says(slant, distance):
    draws = 40_000
    share = float(threshold_share(np.array(slant), np.array(distance), 0.95))
    held = (ratios(slant, distance, draws) <= share * THRESHOLD).mean()
    assert held == pytest.approx(0.95, abs=0.005)


def test_the_usual_one_holds_too_much_near_a_bound_and_too_little_on_it():
    near, on = ((ratios(0.05, d, 40_000) <= THRESHOLD).mean() for d in (0.3, 0.0))
    assert near > 0.97 and on < 0.945


def test_far_from_the_bound_or_across_it_the_bound_does_nothing():
    slants, distances = np.meshgrid([0.02, 0.4, 1.0], [4.0, 9.0, math.inf])
    assert threshold_share(slants, distances, 0.95) == pytest.approx(1, abs=0.01)
    assert threshold_share(np.ones(3), np.array([0, 0.1, 1]), 0.95) == pytest.approx(1, abs=0.01)


def test_one_tail_is_lost_between():
    one_tail = float(stats.norm.ppf(0.95)) ** 2 / THRESHOLD
    assert threshold_share(np.array(0.02), np.array(0.15), 0.95) == pytest.approx(
        one_tail, abs=0.01
    )


@pytest.mark.parametrize("confidence", [0.8, 0.99])
def test_another_confidence_has_its_own(confidence):
    share = float(threshold_share(np.array(0.1), np.array(0.2), confidence))
    bound = share * float(stats.chi2.ppf(confidence, 1))
    assert (ratios(0.1, 0.2, 40_000) <= bound).mean() == pytest.approx(confidence, abs=0.01)
