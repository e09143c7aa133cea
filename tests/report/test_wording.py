"""Numbers as text, and words that fit them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (226.4, "226"),
        (28.46, "28.5"),
        (0.9, "0.900"),
        (-3.14159, "−3.14"),
        (118_640, "118,640"),
        (1e10, "10¹⁰"),
        (2.4e9, "2.4×10⁹"),
        (3e-6, "3×10⁻⁶"),
    ],
)
def test_numbers_have_three_digits_and_missing_is_a_dash(value, text):
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0.0456, "0.046"),
        (2.04e-9, "2×10⁻⁹"),
        (1e-15, "10⁻¹⁵"),
        (2.3e-124, "< 10⁻¹⁵"),
        (0.0, "< 10⁻¹⁵"),
    ],
)
def test_a_p_value_has_two_digits_and_a_lower_bound(p, said):
    assert wording.p_value(p) == said


def test_spread_has_the_values_own_decimals():
    assert wording.spread(51.23, 1.337) == "51.2 ± 1.3"
    assert wording.spread(226.4, 12.3) == "226 ± 12"
    assert wording.spread(226.4, float("nan")) == "226"
    assert wording.spread(None, None) == "–"


def test_a_correlation_short_of_one_is_never_printed_as_one():
    assert wording.signed(-0.834) == "−0.83"
    assert wording.signed(-0.9965) == "−0.997"
    assert wording.signed(0.99999) == "0.999"
    assert wording.signed(-1.0) == "−1.00"


def test_lists_read_as_prose():
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
    assert wording.count(1, "model") == "1 model" and wording.count(1200, "pair") == "1,200 pairs"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.7, "1 min 00 s"),  # never "60 s"
        (119.7, "2 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (97_800, "27 h 10 min"),
        (7199, "2 h 00 min"),
        (3_600_000, "1,000 h 00 min"),
    ],
)
def test_durations_carry_what_they_round_up(seconds, text):
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((1.02, 0.97, 1.08), "1.02 [0.97, 1.08]"),
        ((0.2, 0.0004, 90.4), "0.20 [0.00040, 90]"),
        ((0.9, 0.0001, 18_640.0), "0.90 [0.00010, 19,000]"),
        ((1.0, 0.1, float("inf")), "1.0 [0.10, ∞]"),
        ((1.0, None, None), "1.00"),
        ((float("nan"), 0.5, 2.0), "–"),
    ],
)
def test_no_end_of_a_ratios_interval_is_rounded_to_nothing(ends, text):
    assert wording.ratio(*ends) == text


@given(st.floats(-20, 20), st.floats(1e-3, 30), st.floats(1e-3, 30))
def test_a_ratio_of_any_size_keeps_a_digit_of_each_end(middle, below, above):
    ends = [math.exp(v) for v in (middle, middle - below, middle + above)]
    for text in re.split(r" \[|, |\]", wording.ratio(*ends))[:3]:
        assert re.search("[1-9]", text), text


def test_an_interval_of_rounding_alone_gives_no_further_digits() -> None:
    value = 0.851358191926
    assert wording.within(value, value - 1e-13, value + 1e-13) == "0.851"
    assert wording.cell(value, value - 1e-13, value + 1e-13) == "0.851"
    assert wording.cell(value, value - 1e-4, value + 1e-4) == "0.85136 ± 0.00010"
