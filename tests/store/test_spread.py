"""What a recorded spread is, by the words that were recorded with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.store.spread import scale


def test_todays_words_are_a_standard_error() -> None:
    for words in (None, float("nan"), "standard error of the mean", "delete-half jackknife"):
        assert scale(words) == 1.0


def test_the_spread_of_chunks_becomes_the_error_of_their_mean() -> None:
    """Against simulation: ten chunks, the population deviation over them, 20,000 times."""
    chunks = np.random.default_rng(0).normal(size=(20_000, 10))
    recorded = chunks.std(axis=1, ddof=0)
    error = np.sqrt(np.mean((recorded * scale("standard deviation over 10 chunks")) ** 2))
    assert error == pytest.approx(chunks.mean(axis=1).std(), rel=0.03)


def test_one_chunk_has_no_error() -> None:
    assert math.isnan(scale("standard deviation over 1 chunks"))


@pytest.mark.parametrize(
    "words",
    ["standard deviation over 50 random subsets", "5 nested subsets, so a lower bound"],
)
def test_spreads_that_say_nothing_of_the_value_are_left_out(words: str) -> None:
    assert math.isnan(scale(words))
