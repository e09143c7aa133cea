"""Sweeps as curves: which points count, their errors, and what step counts share."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from harness.analysis.sampling_curves import (
    Curve,
    mean_error,
    read_curves,
    seed_variance,
    shared_error,
)

STEPS = np.array([16, 64, 256])


def sweep(label: str = "a", gflops: float = 2.0, value: float = 50.0, **more) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": label, "gflops": gflops, "sampling_steps": STEPS,
            "sampling_gflops": gflops * STEPS, "value": value, **more,
        }
    )  # fmt: skip


def test_a_curve_is_by_compute_with_errors_on_the_scale_of_comparison() -> None:
    rows = sweep(value=[50.0, 40.0, 30.0], std=[5.0, 2.0, 3.0]).iloc[[2, 0, 1]]
    curves, logarithmic = read_curves(rows)
    found = curves["a"]
    assert logarithmic and found.logarithmic
    assert found.steps.tolist() == [16, 64, 256] and found.compute.tolist() == [32, 128, 512]
    np.testing.assert_allclose(found.value, [50, 40, 30])
    np.testing.assert_allclose(found.y, np.log([[50, 40, 30]]))
    np.testing.assert_allclose(found.std, [0.1, 0.05, 0.1])
    assert found.df == math.inf


def test_values_that_are_not_positive_are_compared_as_they_are() -> None:
    curves, logarithmic = read_curves(pd.concat([sweep(value=-0.1, std=0.2), sweep("b")]))
    assert not logarithmic
    np.testing.assert_allclose(curves["a"].std, [0.2] * 3)
    np.testing.assert_allclose(curves["b"].y, [[50.0] * 3])


def test_what_was_measured_twice_is_averaged_with_half_the_variance() -> None:
    twice = pd.concat([sweep(value=40.0, std=2.0), sweep(value=60.0, std=2.0)])
    found = read_curves(twice)[0]["a"]
    np.testing.assert_allclose(found.value, 50.0)
    np.testing.assert_allclose(found.std, 2 / math.sqrt(2) / 50)
    assert found.y.shape == (1, 3)


def test_seeds_are_rows_and_one_without_every_step_count_is_left_out() -> None:
    rows = pd.concat(
        [sweep(seed=0, std=2.0), sweep(seed=1, value=60.0, std=2.0), sweep(seed=2).iloc[:2]]
    )
    found = read_curves(rows)[0]["a"]
    assert found.y.shape == (2, 3)
    np.testing.assert_allclose(found.value, 55.0)
    np.testing.assert_allclose(found.std, 2 / math.sqrt(2) / 55)


def test_points_without_value_or_compute_do_not_count() -> None:
    rows = sweep(value=[50.0, math.nan, 30.0])
    assert read_curves(rows)[0]["a"].steps.tolist() == [16, 256]
    assert read_curves(rows.iloc[:2])[0] == {}  # one step count is no curve
    assert read_curves(sweep().assign(sampling_gflops=0.0)) == ({}, False)
    assert read_curves(sweep().iloc[:0]) == ({}, False)


def test_weights_are_of_the_mean_over_log_compute() -> None:
    curve = read_curves(sweep())[0]["a"]
    whole = curve.weights(32, 512)
    assert whole.sum() == pytest.approx(1)
    assert whole == pytest.approx([0.25, 0.5, 0.25], abs=3e-3)  # equal distances on the log scale
    part = curve.weights(32, 128)
    assert part == pytest.approx([0.5, 0.5, 0], abs=3e-3)


@pytest.mark.slow
@pytest.mark.parametrize("truth", [0.0, 0.5, 0.9])
def test_what_step_counts_share_is_found_from_many_models(truth: float) -> None:
    rng, steps, error = np.random.default_rng(0), np.array([16, 32, 64, 128, 256, 1000]), 0.03
    curves = {}
    for k in range(300):
        own, common = rng.normal(size=6), rng.normal()
        slope = rng.normal() * np.log(steps)  # each model's own
        noise = error * (math.sqrt(1 - truth) * own + math.sqrt(truth) * common)
        profile = np.sin(steps)  # one that all share
        y = (slope + profile + noise)[None]
        std = np.full(6, error)
        curves[str(k)] = Curve(str(k), 1.0, steps, steps * 1.0, np.exp(y[0]), std, 9.0, y, True)
    assert shared_error(curves) == pytest.approx(truth, abs=0.06)


def test_too_few_curves_are_taken_to_share_everything() -> None:
    """The cautious end: nothing is gained by averaging over step counts."""
    assert shared_error({}) == 1.0
    assert shared_error(read_curves(sweep(std=1.0))[0]) == 1.0
    assert shared_error(read_curves(sweep())[0]) == 1.0  # without errors


def test_seeds_are_the_replicate_only_where_every_model_has_two() -> None:
    rows = pd.concat([sweep(seed=s, value=50.0 + s) for s in range(3)])
    curves, _ = read_curves(rows)
    variance, df = seed_variance(curves) or (math.nan, math.nan)
    means = np.log([50.0, 51.0, 52.0])
    assert variance == pytest.approx(means.var(ddof=1)) and df == 2
    mixed, _ = read_curves(pd.concat([rows, sweep("b", seed=0)]))
    assert seed_variance(mixed) is None and seed_variance({}) is None


def test_the_error_of_a_difference_of_means() -> None:
    a = read_curves(sweep(std=1.0))[0]["a"]
    b = read_curves(sweep("b", std=2.0))[0]["b"]
    w = np.array([0.25, 0.5, 0.25])
    apart, _, basis = mean_error(a, b, w, w, 0.0, None)
    together, *_ = mean_error(a, b, w, w, 1.0, None)
    assert apart == pytest.approx(math.sqrt((w**2).sum() * (0.02**2 + 0.04**2)))
    assert together == pytest.approx(math.hypot(0.02, 0.04)) and basis == "checkpoints"
    error, df, basis = mean_error(a, b, w, w, 1.0, (0.09, 5.0))
    assert (error, df, basis) == (pytest.approx(math.sqrt(0.18)), 5.0, "seeds")
    unknown = read_curves(sweep())[0]["a"]
    error, df, basis = mean_error(a, unknown, w, w, 1.0, None)
    assert math.isnan(error) and math.isnan(df) and basis is None
