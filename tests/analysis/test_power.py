"""The smallest difference that seeds can show, against simulation and the noncentral t."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from harness.analysis import power
from harness.analysis.power import smallest_difference
from harness.errors import BadInput


def test_the_smallest_difference_is_found_as_often_as_promised():
    least = smallest_difference(0.1, 3)
    rng = np.random.default_rng(5)
    gaps = least + 0.1 * math.sqrt(2) * rng.normal(size=(2000, 3))
    power = (stats.ttest_1samp(gaps, 0, axis=1).pvalue < 0.05).mean()
    assert power == pytest.approx(0.8, abs=0.04)
    assert smallest_difference(0.1, 3, models=4) < least / 2
    assert smallest_difference(0.1, 3, comparisons=3) > least
    assert smallest_difference(0.1, 1) == pytest.approx(0.1 * 2**0.5 * 2.8016, rel=1e-3)
    with pytest.raises(BadInput, match="positive spread"):
        smallest_difference(0.0, 3)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("replicates", "models"), [(2, 1), (3, 1), (3, 4), (10, 12)])
@pytest.mark.parametrize(("comparisons", "power"), [(1, 0.8), (6, 0.8), (1, 0.95)])
def test_its_power_is_what_was_asked_by_the_noncentral_t(
    paired: bool, replicates: int, models: int, comparisons: int, power: float
) -> None:
    least = smallest_difference(
        2.0, replicates, models=models, comparisons=comparisons, paired=paired, power=power
    )
    df = models * (replicates - 1) * (1 if paired else 2)
    threshold = stats.t.ppf(1 - 0.05 / comparisons / 2, df)
    shift = least / (2.0 * math.sqrt(2 / (replicates * models)))
    assert stats.nct.sf(threshold, df, shift) == pytest.approx(power, abs=1e-5)


def test_it_is_in_units_of_the_spread_and_falls_with_everything_that_helps() -> None:
    least = smallest_difference(1.0, 3, models=4)
    assert smallest_difference(7.0, 3, models=4) == pytest.approx(7 * least)
    assert smallest_difference(1.0, 4, models=4) < least
    assert smallest_difference(1.0, 3, models=5) < least
    assert smallest_difference(1.0, 3, models=4, paired=False) < least  # more degrees of freedom
    assert smallest_difference(1.0, 3, models=4, confidence=0.9) < least
    assert smallest_difference(1.0, 3, models=4, power=0.9) > least


@pytest.mark.parametrize("wrong", [{"replicates": 0}, {"models": 0}, {"comparisons": 0}])
def test_numbers_that_no_study_has_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="positive spread, seeds, models and tests"):
        smallest_difference(**{"spread": 1.0, "replicates": 3, **wrong})
    for spread in (-1.0, math.nan):
        with pytest.raises(BadInput, match="positive spread"):
            smallest_difference(spread, 3)


@pytest.mark.parametrize("comparisons", [1, 11, 1000])
@pytest.mark.parametrize("df", [1, 2, 7, 99, 2000])
def test_the_threshold_is_scipys(df: int, comparisons: int) -> None:
    tail = 0.05 / comparisons / 2
    found = power._threshold(df, tail)
    assert found == pytest.approx(-special.stdtrit(df, tail), rel=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.99])
@pytest.mark.parametrize(("df", "threshold"), [(1, 12.7), (1, 250.0), (2, 4.3), (5, 3.5), (300, 4)])
def test_the_shift_has_the_power_by_quadrature(df: int, threshold: float, wanted: float) -> None:
    shift = power._shift(df, threshold, wanted)
    of_s = stats.chi(df, scale=1 / math.sqrt(df))

    def exceeded(s: float) -> float:
        return float(special.ndtr(shift - threshold * s) * of_s.pdf(s))

    falls = shift / threshold  # within some 1 / threshold
    points = [falls - 9 / threshold, falls, falls + 9 / threshold]
    found = integrate.quad(
        exceeded, 0, 12, points=[x for x in points if x > 0], limit=500, epsabs=1e-12
    )[0]
    assert found == pytest.approx(wanted, abs=1e-9)


def test_few_seeds_and_many_comparisons_go_on_where_points_would_be_too_many() -> None:
    # two seeds: the threshold grows with the comparisons, and so does what can be shown
    within, beyond = (smallest_difference(1.0, 2, comparisons=n) for n in (23, 24))
    assert power._threshold(1, 0.05 / 23 / 2) < power.FINEST < power._threshold(1, 0.05 / 24 / 2)
    assert beyond / within == pytest.approx(24 / 23, rel=1e-3)
