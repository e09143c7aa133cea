"""The misfit's surface against plain minimisation: its least, its shadows, its ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from harness.analysis.bounded import threshold_share
from harness.analysis.law_surface import SHARES, STEEPEST, Surface, surface

COMPUTE = np.array([0.4, 1.4, 5.6, 19.7, 80.7, 118.6])
THRESHOLD = float(stats.norm.ppf(0.975)) ** 2


def logs(offset: float, scale: float, exponent: float, noise: float = 0.0) -> np.ndarray:
    draws = np.random.default_rng(0).standard_normal(len(COMPUTE))
    return np.log(offset + scale * COMPUTE**-exponent) + noise * draws


def made(
    values: np.ndarray, error: float = 0.05, common: float = 0.0
) -> tuple[Surface, np.ndarray]:
    covariance = error**2 * np.eye(len(values)) + common**2
    return surface(COMPUTE, values, covariance, THRESHOLD), covariance


def misfit(parameters: np.ndarray, values: np.ndarray, covariance: np.ndarray) -> float:
    """Of (exponent, share, log mean at the largest compute), from the definition."""
    a, k, mean = parameters
    u = COMPUTE / COMPUTE.max()
    gap = values - mean - np.log((1 - k) * u**-a + k)
    return float(gap @ np.linalg.solve(covariance, gap))


@pytest.mark.slow
@pytest.mark.parametrize("law", [(3.0, 40.0, 0.4), (0.0, 60.0, 0.3), (20.0, 30.0, 0.9)])
@pytest.mark.parametrize("common", [0.0, 0.1])
def test_the_least_is_what_a_plain_minimiser_finds(law, common) -> None:
    values = logs(*law, noise=0.05)
    found, covariance = made(values, common=common)
    assert misfit(np.array(found.best), values, covariance) == pytest.approx(found.least, rel=1e-6)
    bounds = [(0, STEEPEST), (0, float(SHARES[-1])), (None, None)]
    starts = [(a, k, values[-1]) for a in (0.1, 0.5, 1.5) for k in (0.0, 0.5, 0.9)]
    plain = min(
        optimize.minimize(misfit, s, (values, covariance), bounds=bounds, tol=1e-12).fun
        for s in starts
    )
    assert found.least <= plain * (1 + 1e-6) + 1e-9


@pytest.mark.parametrize("law", [(3.0, 40.0, 0.4), (0.0, 60.0, 0.3)])
def test_without_noise_the_law_itself_is_the_least(law) -> None:
    offset, scale, exponent = law
    found, _ = made(logs(*law))
    a, share, log_mean = found.best
    mean = math.exp(log_mean)
    assert found.least < 1e-9
    assert a == pytest.approx(exponent, abs=1e-4)
    assert mean == pytest.approx(offset + scale * COMPUTE.max() ** -exponent, rel=1e-6)
    assert mean * share == pytest.approx(offset, abs=1e-2)


def test_the_grid_is_the_definition_everywhere() -> None:
    values = logs(3.0, 40.0, 0.4, 0.05)
    found, covariance = made(values, common=0.05)
    for row, column in ((0, 0), (30, 20), (60, 40), (10, 35)):
        point = np.array(
            [found.exponent[row], found.share[row, column], found.log_mean[row, column]]
        )
        assert misfit(point, values, covariance) == pytest.approx(found.misfit[row, column])
        # The mean is the best one of this exponent and share.
        for step in (-1e-3, 1e-3):
            moved = point + np.array([0, 0, step])
            assert misfit(moved, values, covariance) > found.misfit[row, column]
    assert float(found.misfit.min()) >= found.least


def test_the_exponents_interval_is_its_profile_likelihoods() -> None:
    values = logs(3.0, 40.0, 0.4, 0.05)
    found, covariance = made(values)

    def profile(a: float) -> float:
        return min(
            optimize.minimize(
                lambda p: misfit(np.array([a, *p]), values, covariance),
                (k, values[-1]),
                bounds=[(0, float(SHARES[-1])), (None, None)],
                tol=1e-12,
            ).fun
            for k in (0.0, 0.4, 0.8)
        )

    interval = found.exponent_interval(THRESHOLD)
    for end in (interval.low, interval.high):
        assert profile(end) - found.least == pytest.approx(THRESHOLD, rel=0.02)
    assert interval.low < interval.value == found.best[0] < interval.high


def test_a_shadow_is_the_profile_likelihood_of_a_prediction() -> None:
    values = logs(3.0, 40.0, 0.4, 0.05)
    found, covariance = made(values)
    compute = 300.0
    u = compute / COMPUTE.max()
    a, k, mean = found.best
    value = mean + math.log((1 - k) * u**-a + k)
    interval = found.shadow(found.curve(compute), value, THRESHOLD)

    def profile(target: float) -> float:
        def of(p: np.ndarray) -> float:
            a, k = p
            return misfit(
                np.array([a, k, target - math.log((1 - k) * u**-a + k)]), values, covariance
            )

        return min(
            optimize.minimize(of, s, bounds=[(0, STEEPEST), (0, float(SHARES[-1]))], tol=1e-12).fun
            for s in ((0.3, 0.0), (0.5, 0.5), (1.5, 0.9))
        )

    for end in (interval.low, interval.high):
        assert profile(end) - found.least == pytest.approx(THRESHOLD, rel=0.03)
    wider = found.shadow(found.curve(compute), value, THRESHOLD, variance=0.05**2)
    assert wider.low < interval.low < value < interval.high < wider.high


def test_an_exponent_beyond_the_search_has_no_upper_end() -> None:
    found, _ = made(logs(0.0, 1.0, STEEPEST - 0.005))
    interval = found.exponent_interval(THRESHOLD)
    assert interval.high == math.inf and STEEPEST - 0.1 < interval.low < STEEPEST


def test_values_that_do_not_fall_have_exponents_from_zero() -> None:
    found, _ = made(np.full(6, math.log(20.0)))
    interval = found.exponent_interval(THRESHOLD)
    assert interval.low == 0 and interval.value == pytest.approx(0, abs=1e-6)


def test_no_offset_is_within_the_region_of_a_power_law_and_not_of_a_level_one() -> None:
    assert made(logs(0.0, 60.0, 0.3, 0.02))[0].share_interval(THRESHOLD)[0]
    inside, log_share = made(logs(10.0, 30.0, 1.0), error=0.01)[0].share_interval(THRESHOLD)
    assert not inside
    assert log_share.shape == (61, 41)


@pytest.mark.slow
@pytest.mark.parametrize("compute", [None, 1.0, 500.0])
def test_the_distances_to_laws_without_an_offset_are_what_a_plain_minimiser_finds(compute) -> None:
    found, covariance = made(logs(3.0, 40.0, 0.4, noise=0.05))
    row, column = 30, 20
    a, k = found.exponent[row], found.share[row, column]
    u = COMPUTE / COMPUTE.max()
    law = np.log((1 - k) * u**-a + k)

    def beyond(power: np.ndarray) -> float:
        gap = law - power
        return float(gap @ np.linalg.solve(covariance, gap))

    def held(x: np.ndarray) -> float:  # laws without an offset of the same exponent, or mean
        if compute is None:
            return beyond(x[0] - a * np.log(u))
        at = compute / COMPUTE.max()
        return beyond(math.log((1 - k) * at**-a + k) - x[0] * np.log(u / at))

    free = optimize.minimize(lambda x: beyond(x[0] - x[1] * np.log(u)), (0.0, 0.5), tol=1e-12)
    along = optimize.minimize(held, (0.0,), tol=1e-12)
    distance, ray = math.sqrt(free.fun), math.sqrt(along.fun)
    wanted = threshold_share(np.array(distance / ray), np.array(distance), 0.95)
    assert 0 < distance < ray
    assert found.threshold_shares(0.95, compute)[row, column] == pytest.approx(
        float(wanted), rel=1e-4
    )


def test_at_no_offset_the_threshold_is_that_on_the_bound() -> None:
    found, _ = made(logs(0.0, 60.0, 0.3))
    on_it = found.threshold_shares(0.95)[found.share == 0]
    assert len(on_it) > 5 and on_it.min() > 1 and on_it.max() > 1.05
