"""Numbers as text, and words that fit them."""

from __future__ import annotations

import pytest

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
