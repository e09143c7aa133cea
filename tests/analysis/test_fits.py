"""Correlations and power laws recover what the numbers were made from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import paper
from harness.analysis import fits


def frame(gflops, value, seed=0):
    return pd.DataFrame({"gflops": gflops, "value": value, "seed": seed})


@settings(max_examples=25, deadline=None)
@given(
    exponent=st.floats(-2, 2).filter(lambda e: abs(e) > 0.01),
    scale=st.floats(0.1, 1000),
)
def test_a_power_law_is_recovered_exactly(exponent, scale):
    g = np.array([0.3, 1.4, 6.0, 23.0, 118.0])
    law = fits.power_law(frame(g, scale * g**exponent))
    assert law.exponent == pytest.approx(exponent)
    assert law.scale == pytest.approx(scale)
    assert law.r2 == pytest.approx(1.0)
    assert law.at(np.array([10.0]))[0] == pytest.approx(scale * 10**exponent)


@settings(max_examples=25, deadline=None)
@given(st.permutations(list(range(8))), st.floats(0.1, 10))
def test_rank_correlation_is_blind_to_monotone_change_of_the_values(order, power):
    g = np.geomspace(0.1, 100, 8)
    values = np.array(order, float) + 1
    plain, bent = (fits.correlation(frame(g, v)) for v in (values, values**power))
    assert plain.spearman == pytest.approx(bent.spearman)


def test_the_papers_models_correlate_strongly_and_negatively():
    rows = [r for r in paper.table("table3_models") if r["train_steps_k"] == 400]
    rows = [r for r in rows if r["block"] == "adaln-zero"]
    got = fits.correlation(
        frame([r["gflops"] for r in rows], [r["fid50k_no_guidance"] for r in rows])
    )
    assert got.models == 12
    # By hand: the squared rank differences of the twelve add up to 548.
    assert got.spearman == pytest.approx(1 - 6 * 548 / (12 * (12**2 - 1)))
    assert got.pearson < -0.85


def test_spread_over_seeds_is_reported_only_with_several_seeds():
    g = np.array([1.0, 10.0, 100.0])
    one, two = frame(g, 100 * g**-0.3, seed=0), frame(g, 100 * g**-0.5, seed=1)
    both = pd.concat([one, two])
    law = fits.power_law(one, both)
    assert law.exponent_std == pytest.approx(np.std([-0.3, -0.5], ddof=1))
    assert fits.power_law(one, one).exponent_std is None
    assert fits.correlation(one, both).spearman_by_seed == (-1.0, -1.0)
    assert fits.correlation(one, one).spearman_by_seed == ()


def test_too_few_models_have_neither_correlation_nor_law():
    two = frame([1.0, 10.0], [5.0, 3.0])
    assert fits.correlation(two) is None and fits.power_law(two) is None
    same = frame([1.0, 1.0, 1.0], [5.0, 3.0, 2.0])
    assert fits.correlation(same) is None and fits.power_law(same) is None
    near = frame([118.0, 119.0, 137.0], [5.0, 3.0, 2.0])
    assert fits.correlation(near) is not None and fits.power_law(near) is None


def test_missing_values_are_left_out_of_both():
    g = np.array([1.0, 10.0, 100.0, 1000.0])
    rows = frame(g, [8.0, 4.0, np.nan, 1.0])
    assert fits.correlation(rows).models == 3
    assert fits.power_law(rows).models == 3


def test_the_p_value_of_few_models_is_the_share_of_orders_that_correlate_as_strongly():
    """Three models in perfect order prove little: one order in three does as well."""
    three = fits.correlation(frame([1.0, 2.0, 4.0], [9.0, 5.0, 1.0]))
    assert three.spearman == -1 and three.p_value == pytest.approx(1 / 3)
    four = fits.correlation(frame([1.0, 2.0, 4.0, 8.0], [9.0, 5.0, 1.0, 0.5]))
    assert four.p_value == pytest.approx(2 / 24)
    tied = fits.correlation(frame([1.0, 1.0, 4.0], [9.0, 5.0, 1.0]))
    assert tied.p_value == pytest.approx(2 / 3)  # unless the middle value is last
    many = fits.correlation(
        frame([2.0**i for i in range(12)], [3.0 ** (12 - i) for i in range(12)])
    )
    assert many.p_value < 1e-6
