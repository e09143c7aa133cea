"""The best, and what ties with it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.ranking import best, ranks


def test_a_clear_winner_is_alone_and_a_tie_is_shared():
    assert best([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]).tolist() == [True, False, False]
    assert best([1.0, 1.1, 3.0], [0.1, 0.1, 0.1]).tolist() == [True, True, False]
    assert best([1.0, 2.0, 3.0], [0.1, 0.1, 0.1], higher=True).tolist() == [False, False, True]
    assert best([1.0, np.nan, 3.0], [0.1, 0.1, 0.1]).tolist() == [True, False, False]
    assert not best([np.nan], [0.1]).any() and len(best([], [])) == 0


def test_without_standard_errors_all_tie():
    assert best([1.0, 2.0, 30.0]).all()
    frame = ranks([1.0, 2.0, 30.0])
    assert frame["rank"].tolist() == [1, 2, 3]
    assert frame["low"].tolist() == [1, 1, 1] and frame["high"].tolist() == [3, 3, 3]


def test_few_degrees_of_freedom_make_ties():
    values, std = [1.0, 1.38], [0.1, 0.1]
    assert best(values, std).sum() == 1
    assert best(values, std, [2, 2]).sum() == 2


def test_of_equals_with_one_pooled_spread_of_few_seeds_the_best_is_rarely_told_from_another():
    """Three models of two seeds: the spread has three degrees of freedom, and no six."""
    rng, draws = np.random.default_rng(4), 1500
    wrong = {True: 0, False: 0}
    for _ in range(draws):
        seeds = rng.normal(size=(3, 2))
        std = np.sqrt(seeds.var(axis=1, ddof=1).mean() / 2)
        for one_spread in wrong:
            tied = best(seeds.mean(axis=1), [std] * 3, [3] * 3, one_spread=[one_spread] * 3)
            wrong[one_spread] += not tied.all()
    few, many = (wrong[one_spread] / draws for one_spread in (True, False))
    assert few < 0.065 and many > 0.1
    assert stats.binom.sf(wrong[True] - 1, draws, 0.05) > 1e-3


def test_ranks_are_intervals():
    frame = ranks([5.0, 1.0, 1.05, 9.0], [0.1] * 4)
    assert frame["rank"].tolist() == [3, 1, 2, 4]
    assert frame["low"].tolist() == [3, 1, 1, 4] and frame["high"].tolist() == [3, 2, 2, 4]


@pytest.mark.slow
def test_all_true_ranks_are_held_at_once_in_95_percent():
    truth, draws = np.array([1.0, 1.1, 1.2, 2.0]), 300
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(draws):
        frame = ranks(truth + 0.1 * rng.normal(size=4), [0.1] * 4)
        held += ((frame["low"] <= [1, 2, 3, 4]) & (frame["high"] >= [1, 2, 3, 4])).all()
    assert stats.binom.cdf(held, draws, 0.95) > 1e-3
