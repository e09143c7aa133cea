"""Correlations with intervals that hold the truth, and the paper's own numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness import paper
from harness.analysis.correlations import compare_correlations, correlation, regression
from harness.errors import BadInput

DRAWS = 300


def holds(count, share=0.95, draws=DRAWS):
    return stats.binom.cdf(count, draws, share) > 1e-3


def papers_twelve():
    rows = [
        r
        for r in paper.table("table3_models")
        if (r["image_size"], r["block"], r["train_steps_k"]) == (256, "adaln-zero", 400)
    ]
    return {k: np.array([r[k] for r in rows], float)
            for k in ("gflops", "params_m", "fid50k_no_guidance")}  # fmt: skip


def test_the_papers_correlation_is_the_papers():
    p = papers_twelve()
    found = correlation(p["gflops"], p["fid50k_no_guidance"])
    assert found.pearson.value == pytest.approx(-0.93, abs=0.001)
    assert found.spearman.value == pytest.approx(-0.916, abs=0.001)
    assert found.models == 12 and -1 < found.pearson.low < -0.95 < -0.8 < found.pearson.high < -0.7
    assert found.measured_pearson is None and found.measured_spearman is None


def test_gflops_and_not_parameters_decide_the_papers_quality():
    p = papers_twelve()
    logs = {k: np.log(v) for k, v in p.items()}
    fid = logs.pop("fid50k_no_guidance")
    assert regression(fid, {"gflops": logs["gflops"]}).r2 == pytest.approx(0.875, abs=0.001)
    assert regression(fid, {"params": logs["params_m"]}).r2 == pytest.approx(0.253, abs=0.001)
    both = regression(fid, {"gflops": logs["gflops"], "params": logs["params_m"]})
    assert both.r2 == pytest.approx(0.934, abs=0.001)
    assert both.coefficients["gflops"].value == pytest.approx(-0.462, abs=0.001)
    assert both.coefficients["params"].value == pytest.approx(0.188, abs=0.001)
    assert both.coefficients["gflops"].high < 0 < both.coefficients["params"].low


@pytest.mark.slow
@pytest.mark.parametrize("rho", [-0.93, -0.5])
def test_the_interval_over_models_holds_the_truth(rho):
    rng = np.random.default_rng(0)
    x, e = rng.normal(size=(2, DRAWS, 12))
    y = rho * x + math.sqrt(1 - rho**2) * e
    found = [correlation(10**a, b) for a, b in zip(x, y, strict=True)]
    ranked = 6 / math.pi * math.asin(rho / 2)  # Spearman's of the normal distribution
    assert holds(sum(rho in f.pearson for f in found))
    assert holds(sum(ranked in f.spearman for f in found), 0.93)


@pytest.mark.slow
def test_the_interval_over_measurements_holds_the_truth_of_these_models():
    rng = np.random.default_rng(1)
    compute = np.geomspace(0.4, 126, 12)
    truth = 300 * compute**-0.4 * np.exp(0.25 * rng.normal(size=12))
    std = 0.08 * truth
    pearson, ranked = correlation(compute, truth).pearson.value, stats.spearmanr(compute, truth)[0]
    draws = truth + std * rng.normal(size=(DRAWS, 12))
    found = [correlation(compute, y, std) for y in draws]
    assert holds(sum(pearson in f.measured_pearson for f in found))
    assert holds(sum(ranked in f.measured_spearman for f in found))
    assert found[0].measured_pearson.half_width < found[0].pearson.half_width


@pytest.mark.slow
def test_errors_that_values_share_are_taken_together_in_the_interval_over_measurements():
    """Errors of one draw that tilt the whole trend: taken as independent they were a third as
    large, and the interval held the truth in three draws of four."""
    rng = np.random.default_rng(5)
    compute = np.geomspace(0.4, 126, 12)
    x = np.log10(compute) - np.log10(compute).mean()
    truth = 30 - 3 * x + 2.5 * rng.normal(size=12)
    tilt = x / np.abs(x).max()
    part = 0.95 * tilt
    shared = np.outer(part, part) + np.diag(1 - part**2)
    own = np.sqrt(1 - part**2) * rng.normal(size=(DRAWS, 12))
    draws = truth + 1.5 * (part * rng.normal(size=(DRAWS, 1)) + own)
    pearson = correlation(compute, truth).pearson.value
    ranked = stats.spearmanr(compute, truth)[0]
    told = [correlation(compute, y, np.full(12, 1.5), shared=shared) for y in draws]
    blind = [correlation(compute, y, np.full(12, 1.5)) for y in draws]
    assert holds(sum(pearson in f.measured_pearson for f in told))
    assert holds(sum(ranked in f.measured_spearman for f in told))
    assert not holds(sum(pearson in f.measured_pearson for f in blind))


def test_an_error_that_is_the_same_everywhere_moves_no_correlation():
    compute, values = np.geomspace(1, 100, 6), np.array([9.0, 8.5, 7.0, 7.5, 5.0, 4.0])
    std = np.ones(6)
    found = correlation(compute, values, std, shared=np.full((6, 6), 1.0))
    assert found.measured_pearson.half_width < 1e-6 < found.pearson.half_width
    assert found.measured_spearman.half_width < 1e-6
    alone = correlation(compute, values, std)
    none = correlation(compute, values, std, shared=np.eye(6))
    assert none.measured_pearson == alone.measured_pearson
    assert alone.measured_pearson.half_width > 0.05
    missing = np.array([9.0, np.nan, 7.0, 7.5, 5.0, 4.0])  # its row is left out of both
    left = correlation(compute, missing, std, shared=np.full((6, 6), 1.0))
    assert left.models == 5 and left.measured_pearson.half_width < 1e-6


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", [1e300, 1e-300, -1e307])
def test_a_correlation_does_not_depend_on_the_unit(unit):
    compute, values = np.geomspace(1, 100, 6), np.array([9.0, 8.5, 7.0, 7.5, 5.0, 4.0])
    std = np.full(6, 0.3)
    usual = correlation(compute, values, std)
    other = correlation(compute, values * unit, std * abs(unit))
    sign = np.sign(unit)
    assert other.pearson.value == pytest.approx(sign * usual.pearson.value)
    measured = sorted(sign * np.array([usual.measured_pearson.low, usual.measured_pearson.high]))
    assert [other.measured_pearson.low, other.measured_pearson.high] == pytest.approx(measured)
    assert compare_correlations(compute, values * unit, values).value == pytest.approx(0, abs=1e-9)


def test_correlations_of_the_same_models_are_compared_as_dependent():
    rng = np.random.default_rng(3)
    x, shared, e, f = rng.normal(size=(4, DRAWS, 12))
    first = -0.9 * x + 0.436 * (0.8 * shared + 0.6 * e)
    second = 0.7 * x + 0.714 * (-0.8 * shared + 0.6 * f)
    truth = 0.9 - 0.7
    held = sum(
        truth in compare_correlations(10**a, b, c) for a, b, c in zip(x, first, second, strict=True)
    )
    assert holds(held, 0.93)
    same = compare_correlations(10 ** x[0], first[0], first[0])
    assert same.value == 0 and same.half_width < 0.1


def test_regression_intervals_hold_the_truth():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 12))
    ys = 1 - 0.5 * a + 0.2 * b + 0.3 * rng.normal(size=(DRAWS, 12))
    found = [regression(y, {"a": a, "b": b}) for y in ys]
    assert holds(sum(-0.5 in f.coefficients["a"] for f in found))
    assert holds(sum(1 in f.intercept for f in found))


def test_three_models_have_a_correlation_without_an_interval():
    found = correlation([1, 10, 100], [3.0, 2.0, 1.0], [0.1] * 3)
    assert found.spearman.value == -1 and math.isnan(found.spearman.low)
    assert found.p_value == pytest.approx(1 / 3)  # three in order: one order in six, either way
    assert found.measured_spearman.low == pytest.approx(-1)


def test_missing_values_are_left_out_and_too_few_refused():
    found = correlation([1, 10, 100, 1000], [3.0, np.nan, 1.0, 0.5], [0.1, np.nan, 0.1, 0.1])
    assert found.models == 3 and found.measured_pearson is not None
    assert correlation([1, 10, 100], [3.0, 2, 1], [0.1, np.nan, 0.1]).measured_pearson is None
    for bad in ([1, 2], [1, 1, 1]):
        with pytest.raises(BadInput, match="three models"):
            correlation(bad, np.arange(len(bad)))
    with pytest.raises(BadInput, match="must be"):
        correlation([1, 2, 3], [1, 2])
    with pytest.raises(BadInput, match="four models"):
        compare_correlations([1, 2, 3], [1, 2, 3], [3, 1, 2])
    with pytest.raises(BadInput, match="do not determine"):
        regression([1, 2, 3.0], {"a": [1, 2, 3], "b": [2, 4, 6]})


@pytest.mark.parametrize("models", range(4, 9))
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.983])
def test_a_perfect_order_is_a_trend_only_where_chance_gives_none(models, confidence):
    """Its interval once had no width: noise in four models was a trend one time in twelve."""
    compute = 2.0 ** np.arange(models)
    for sign in (1, -1):
        found = correlation(compute, np.exp(sign * np.arange(models)), confidence=confidence)
        assert found.spearman.value == pytest.approx(sign)
        assert found.spearman.half_width > 0 and sign in found.spearman
        if found.p_value > 1 - confidence + 1e-9:
            assert 0 in found.spearman


def test_an_order_with_two_models_exchanged_is_less_sure_than_a_perfect_one():
    compute, values = 2.0 ** np.arange(8), np.arange(8.0)
    exchanged = values[[0, 1, 2, 4, 3, 5, 6, 7]]
    whole, less = (correlation(compute, v).spearman for v in (values, exchanged))
    assert less.value < whole.value and less.low < whole.low and less.high < 1 == whole.high


def test_equal_values_have_no_regression() -> None:
    """Rounding had a slope of its own, with an interval of 1e-16: a claim counted as supported."""
    x = np.log(np.geomspace(0.4, 126, 12))
    for value in (math.log(5.0), 0.1 + 1e-15):
        with pytest.raises(BadInput, match="all 12 models have the same value"):
            regression(np.full(12, value), {"gflops": x, "params": np.sin(x)})


def test_one_spread_of_few_seeds_counts_its_degrees_of_freedom_once():
    compute = np.geomspace(1, 100, 6)
    values = np.array([60.0, 41, 33, 20, 17, 9])
    few, many = (
        correlation(compute, values, 0.1 * values, std_df=[6] * 6, one_spread=one)
        for one in (True, False)
    )
    assert few.pearson == many.pearson
    assert few.measured_pearson.half_width > 1.1 * many.measured_pearson.half_width
