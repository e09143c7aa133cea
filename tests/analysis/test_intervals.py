"""Differences, their intervals, and Holm's correction: one decision everywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.analysis.intervals import (
    Interval,
    corrected,
    critical,
    difference,
    holm,
    holm_levels,
    p_value,
    pooled_df,
)
from harness.errors import BadInput


def test_quantiles_are_those_of_the_tables():
    assert critical(0.95) == pytest.approx(1.95996, abs=1e-4)
    assert critical(0.95, 9) == pytest.approx(2.26216, abs=1e-4)
    assert critical(0.95, sides=1) == pytest.approx(1.64485, abs=1e-4)
    with pytest.raises(BadInput, match="not between 0 and 1"):
        critical(95)


def test_degrees_of_freedom_of_a_difference_are_welchs():
    a, b = np.random.default_rng(0).normal(size=(2, 7))
    va, vb = a.var(ddof=1) / 7, b[:4].var(ddof=1) / 4
    expected = stats.ttest_ind(a, b[:4], equal_var=False)
    gap = difference(a.mean(), b[:4].mean(), va**0.5, vb**0.5, 6, 3)
    assert gap.df == pytest.approx(expected.df) and gap.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (gap.interval.low, gap.interval.high) == pytest.approx((low, high))
    assert pooled_df([1, 1], [math.inf, 5]) == pytest.approx(20)
    assert pooled_df([0, 0], [3, 5]) == math.inf


def test_one_estimate_of_a_spread_counts_its_degrees_of_freedom_once():
    apart, together = (difference(2, 1, 0.3, 0.3, 4, 4, one_spread=o) for o in (False, True))
    assert (apart.df, together.df) == (8, 4) and apart.std == together.std
    assert together.interval.half_width == pytest.approx(0.3 * 2**0.5 * stats.t.ppf(0.975, 4))


def test_without_a_standard_error_nothing_is_told_apart():
    for missing in (None, math.nan):
        gap = difference(1.0, 2.0, 0.1, missing)
        assert gap.tie and gap.value == -1 and math.isnan(gap.p)
    assert not difference(1.0, 2.0, 0.1, 0.1).tie
    assert difference(1.0, 1.1, 0.1, 0.1).tie


def test_a_shared_error_makes_a_difference_surer():
    assert difference(1.0, 1.1, 0.1, 0.1).std == pytest.approx(0.1 * 2**0.5)
    assert difference(1.0, 1.1, 0.1, 0.1, covariance=0.0095).std == pytest.approx(0.001**0.5)


def test_holm_is_the_textbooks():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    out = holm([0.01, math.nan, 0.04])
    assert out[0] == pytest.approx(0.02) and math.isnan(out[1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
def test_the_corrected_intervals_decide_as_holm_does(p):
    levels = holm_levels(p, 0.05)
    assert ((np.array(p) <= levels) == (holm(p) <= 0.05)).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-6, 6), min_size=1, max_size=8))
def test_a_tie_is_what_holm_does_not_reject(gaps):
    found = corrected([difference(g, 0.0, 1.0, 0.0, 12) for g in gaps])
    adjusted = holm([d.p for d in found])
    for gap, p in zip(found, adjusted, strict=True):
        if abs(p - 0.05) > 1e-6:
            assert gap.tie == (p > 0.05)


@pytest.mark.slow
def test_of_many_true_ties_one_in_twenty_families_has_a_winner():
    rng = np.random.default_rng(0)
    wrong = sum(
        any(not d.tie for d in corrected([difference(g, 0.0, 1.0, 0.0) for g in gaps]))
        for gaps in rng.normal(size=(500, 6))
    )
    assert stats.binom.cdf(wrong, 500, 0.05) > 1e-3 and stats.binom.sf(wrong, 500, 0.05) > 1e-3


def test_exact_values_and_intervals():
    assert p_value(0.0, 0.0) == 1 and p_value(1.0, 0.0) == 0
    assert difference(2.0, 1.0, 0.0, 0.0).degenerate  # it has a p-value, and carries no test
    assert difference(2.0, 1.0, 0.3, 0.3, covariance=0.09).degenerate
    assert not difference(2.0, 1.0, 1e-4, 0.0).degenerate
    assert not difference(2.0, 1.0, None, 0.1).degenerate
    assert p_value(1.64485, 1.0, sides=1) == pytest.approx(0.05, abs=1e-4)
    one = Interval(2.0, 1.0, 4.0)
    assert 1.5 in one and 5 not in one and float(one) == 2 and one.half_width == 1.5
    assert one.known and not Interval(1.0, 0.0, math.inf).known
