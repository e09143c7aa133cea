"""The IsoFLOP surface finds Chinchilla's exponent, and refuses what cannot carry one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.isoflop import surface
from harness.errors import BadInput

E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28
EXPONENT = BETA / (ALPHA + BETA)


def best(budget):
    """Chinchilla's optimal parameters at a budget of 6 N D."""
    return (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA)) * (budget / 6) ** EXPONENT


def design():
    """Five budgets over two decades, seven sizes over a factor of 16 around the optimum."""
    budgets = np.geomspace(1e19, 1e21, 5)
    size = np.concatenate([best(c) * np.geomspace(0.25, 4, 7) for c in budgets])
    data = np.repeat(budgets, 7) / 6 / size
    return size, data, E + A * size**-ALPHA + B * data**-BETA


def held(draws, seed=0):
    size, data, truth = design()
    rng = np.random.default_rng(seed)
    exponent = optimum = 0
    for _ in range(draws):
        noisy = truth * (1 + 0.01 * rng.normal(size=35))
        found = surface(size, data, noisy, 0.01 * truth, factor=6)
        exponent += EXPONENT in found.exponent
        optimum += best(3e22) in found.optimum(3e22)
    return exponent, optimum


@pytest.mark.slow
def test_the_exponents_interval_holds_the_truth():
    for count in held(12):
        assert stats.binom.cdf(count, 12, 0.92) > 1e-3


@pytest.mark.full
def test_the_acceptance_of_the_surface_in_two_hundred_draws():
    exponent, optimum = held(200, seed=5)
    print(f"IsoFLOP: exponent {exponent} of 200, optimum at 30 times the budget {optimum} of 200")
    assert exponent >= 184


@pytest.mark.slow
def test_a_surface_without_noise_is_recovered():
    size, data, truth = design()
    found = surface(size, data, truth, factor=6)
    assert (found.offset, found.alpha, found.beta) == pytest.approx((E, ALPHA, BETA), rel=1e-3)
    assert (found.size_scale, found.data_scale) == pytest.approx((A, B), rel=1e-2)
    assert found.exponent.value == pytest.approx(EXPONENT, rel=1e-4)
    assert found.optimum(1e20).value == pytest.approx(best(1e20), rel=1e-2)
    assert found.at(size, data) == pytest.approx(truth, rel=1e-5)


@pytest.mark.slow
def test_what_cannot_carry_a_surface_is_refused():
    size, data, truth = design()
    with pytest.raises(BadInput, match="eight points"):
        surface(size[:7], data[:7], truth[:7])
    with pytest.raises(BadInput, match="of three sizes"):
        surface(np.full(35, 1e9), data, truth)
    with pytest.raises(BadInput, match="positive values"):
        surface(size, data, truth - 10)
    with pytest.raises(BadInput, match="does not depend"):
        surface(size, data, 1 + B * data**-BETA)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-200, 1e250])
def test_the_unit_of_quality_changes_nothing_but_its_own_scale(unit):
    size, data, truth = design()
    noisy = truth * (1 + 0.01 * np.random.default_rng(1).normal(size=35))
    one, other = (surface(size, data, noisy * u, 0.01 * truth * u, factor=6) for u in (1, unit))
    assert [*other.exponent] == pytest.approx([*one.exponent], rel=1e-6)
    assert (other.offset, other.size_scale) == pytest.approx(
        (one.offset * unit, one.size_scale * unit), rel=1e-6
    )
