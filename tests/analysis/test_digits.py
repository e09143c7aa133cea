"""Digits follow from intervals; unequal exact numbers never print the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.digits import apart, decimals, rounded
from harness.analysis.intervals import Interval


@pytest.mark.parametrize(
    "half, places",
    [(0.63, 1), (0.13, 2), (0.199, 1), (3.2, 0), (1.2, 1), (23, -1), (0.096, 2), (0.98, 1)],
)
def test_one_digit_of_the_half_width_is_kept_or_two_after_a_one(half, places):
    assert decimals(half) == places


def test_without_a_half_width_the_fallback_is_used():
    assert [decimals(h) for h in (None, math.nan, math.inf, 0.0)] == [2, 2, 2, 2]


def test_an_interval_prints_its_digits():
    assert rounded(Interval(19.4712, 18.84, 20.10)) == ("19.5", "18.8", "20.1")
    assert rounded(Interval(1234.5, 1104, 1365)) == ("1,230", "1,100", "1,360")
    assert rounded(Interval(8.123, 0.0, math.inf)) == ("8", "0", "inf")


@pytest.mark.parametrize(
    "interval, texts",
    [
        ((-5.4, -10.2, -0.3), ("-5.4", "-10.2", "-0.3")),  # told from 0, and it reads so
        ((5.4, -0.3, 10.2), ("5", "0", "10")),
        ((5.4, 0.0, 10.2), ("5", "0", "10")),
        ((5.4, 1e-6, 10.2), ("5", "0", "10")),  # six digits more are no help
        ((120.0, 3.0, 210.0), ("120", "3", "210")),
        ((5.4, 0.3, math.inf), ("5.4", "0.3", "inf")),
    ],
)
def test_an_interval_without_0_does_not_print_a_0(interval, texts):
    assert rounded(Interval(*interval)) == texts


def test_the_papers_gflops_do_not_print_alike():
    assert apart([118.64, 118.56, 119.37]) == ["118.64", "118.56", "119.37"]
    assert apart([118.64, 118.56, 119.37, 137.62])[-1] == "137.62"
    assert apart([0.36, 118.64]) == ["0.360", "118.640"]
    assert apart([2.0, 2.0]) == ["2.00", "2.00"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=8))
def test_unequal_values_have_unequal_texts(values):
    texts = apart(values)
    assert len(set(texts)) == len({float(f"{v:.9g}") for v in values})


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e3))
def test_rounding_moves_a_value_by_less_than_its_half_width(value, half):
    printed = rounded(Interval(value, value - half, value + half))[0]
    assert abs(float(printed.replace(",", "")) - value) <= 0.51 * half
