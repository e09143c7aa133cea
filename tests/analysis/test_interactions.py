"""Whether a recipe's advantage turns with scale, and where: lines, crossings, intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ablations import better, study, turning
from scipy import stats

from harness.analysis.interactions import Line, interaction, line
from harness.errors import BadInput


@pytest.mark.slow
def test_interactions_and_crossings_hold_the_truth():
    draws, rng = 60, np.random.default_rng(3)
    slopes = crossings = 0
    for _ in range(draws):
        found = interaction(study(turning, 3, 0.05, rng=rng), "learning_rate", 0.1, 0.2)
        slopes += 0.4 in found.slope
        crossings += found.crossing is not None and 5 in found.crossing
    assert stats.binom.cdf(slopes, draws, 0.95) > 1e-3
    assert stats.binom.cdf(crossings, draws, 0.95) > 1e-3
    assert found.models == 3 and found.basis == "seeds" and found.slope.low > 0


@pytest.mark.slow
@pytest.mark.parametrize("scatter", [0.0, 2.0, 4.0])
def test_three_models_hold_the_slope_whatever_they_scatter(scatter):
    """They can lie on a line by chance: their errors alone held the truth in 85 % at a scatter of
    three errors."""
    draws, rng, x = 300, np.random.default_rng(1), np.array([0.0, 0.6, 1.15])
    held = 0
    for _ in range(draws):
        y = -0.4 * x + math.sqrt(1 + scatter**2) * rng.normal(size=3)
        held += -0.4 in line(x, y, np.ones(3), math.inf).slope_interval()
    assert stats.binom.cdf(held, draws, 0.95) > 1e-3


def test_a_crossing_is_open_where_the_slope_may_be_nothing():
    flat = line(np.array([0.0, 1, 2]), np.array([0.1, 0.12, 0.09]), np.full(3, 0.01), math.inf)
    assert flat.root().low == -math.inf and 0 in flat.slope_interval()
    steep = line(np.array([0.0, 1, 2]), np.array([-1.0, 0, 1.0]), np.full(3, 1e-4), math.inf)
    assert steep.root().value == pytest.approx(1) and steep.root().half_width < 0.05
    with pytest.raises(BadInput, match="two models"):
        line(np.array([1.0]), np.array([1.0]), np.array([1.0]), 3)
    with pytest.raises(BadInput, match="standard errors"):
        line(np.array([1.0, 2]), np.array([1.0, 2]), np.array([np.nan, 1.0]), 3)


def test_a_line_is_the_weighted_least_squares_of_the_textbook():
    x, y = np.array([0.0, 1, 2, 4]), np.array([1.0, 1.4, 2.2, 3.9])
    variance = np.array([0.1, 0.4, 0.2, 0.3])
    found = line(x, y, variance, math.inf)
    slope, intercept = np.polyfit(x, y, 1, w=1 / np.sqrt(variance))
    assert (found.slope, found.intercept) == (pytest.approx(slope), pytest.approx(intercept))
    expected = np.polyfit(x, y, 1, w=1 / np.sqrt(variance), cov="unscaled")[1][::-1, ::-1]
    np.testing.assert_allclose(found.covariance, expected)
    assert found.error(3.0) == pytest.approx(
        math.sqrt(expected[0, 0] + 6 * expected[0, 1] + 9 * expected[1, 1])
    )


def test_models_that_scatter_by_more_than_their_errors_widen_the_interval():
    x, y = np.array([0.0, 1, 2, 3]), np.array([0.0, 2.0, 1.0, 3.0])
    scattered = line(x, y, np.full(4, 1e-6), math.inf)
    told = line(x, y, np.full(4, 10.0), math.inf)
    misfit = scattered.covariance[1, 1] / 1e-6 * np.square(x - x.mean()).sum()
    assert misfit > 1e4 and scattered.level == pytest.approx(stats.t.ppf(0.975, 2))
    # Errors that explain the scatter are believed: the normal quantile, and nothing scaled.
    assert told.level == pytest.approx(stats.norm.ppf(0.975))
    assert told.covariance[1, 1] == pytest.approx(10.0 / np.square(x - x.mean()).sum())


def test_fiellers_interval_is_where_the_band_holds_zero():
    found = line(np.arange(5.0), np.array([-1.0, 0.1, 0.9, 2.1, 3.0]), np.full(5, 0.05), 20)
    root = found.root()
    assert found.level == pytest.approx(stats.t.ppf(0.975, 20))
    for end in (root.low, root.high):
        at = found.intercept + found.slope * end
        assert abs(at) == pytest.approx(found.level * found.error(end))
    assert pytest.approx(found.intercept + found.slope * root.value) == 0


def test_a_level_line_crosses_nowhere_or_anywhere():
    flat = Line(1.0, 0.0, np.diag([0.01, 0.01]), 1.96)
    assert flat.root() is None
    assert Line(1.0, 1e-3, np.diag([0.01, 0.01]), 1.96).root().high == math.inf


def test_a_crossing_is_in_gflops_and_far_ones_have_no_end():
    found = interaction(study(turning, 3, 0.001), "learning_rate", 0.1, 0.2)
    assert found.crossing.value == pytest.approx(5, rel=0.02)
    assert 4.5 < found.crossing.low < 5 < found.crossing.high < 5.5
    never = interaction(study(better, 3, 0.05), "learning_rate", 0.1, 0.2)
    assert never.crossing.low == 0 and never.crossing.high == math.inf
    assert 0 in never.slope


def test_one_model_or_one_seed_without_errors_is_refused():
    rows = study(better, 3)
    with pytest.raises(BadInput, match="two models of different compute"):
        interaction(rows[rows["model"] == "DiT-S/4"], "learning_rate", 0.1, 0.2)
    with pytest.raises(BadInput, match="have none"):
        interaction(study(better, 1), "learning_rate", 0.1, 0.2)
