"""The smallest difference that seeds can show, against simulation and the noncentral t."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

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
