"""Equal-compute comparisons on curves whose answers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis import compute

STEPS = np.array([16, 32, 64, 128, 256, 1000])


def curve(label, gflops, value, steps=STEPS, patch=2):
    return pd.DataFrame(
        {
            "label": label,
            "gflops": gflops,
            "patch_size": patch,
            "sampling_steps": steps,
            "sampling_gflops": gflops * steps,
            "value": value,
        }
    )


@settings(max_examples=30, deadline=None)
@given(st.floats(1.01, 5.0), st.floats(1.5, 10.0))
def test_a_curve_that_is_better_by_a_factor_is_ahead_by_that_factor(factor, gap):
    def quality(c):
        return 100 * c**-0.2

    small = curve("small", 10.0, quality(10.0 * STEPS))
    large = curve("large", 10.0 * gap, quality(10.0 * gap * STEPS) / factor)
    (pair,) = compute.compare_sampling(pd.concat([small, large]), "fid").to_dict("records")
    assert (pair["smaller"], pair["larger"], pair["ahead"]) == ("small", "large", "larger")
    assert pair["ratio"] == pytest.approx(factor)
    assert pair["share"] == 1.0 and pair["same_patch"]
    assert pair["low"] == pytest.approx(10 * gap * 16) and pair["high"] == pytest.approx(10_000)


def test_where_larger_is_better_the_higher_curve_is_ahead():
    sweep = pd.concat([curve("small", 10.0, 5.0), curve("large", 20.0, 9.0)])
    (up,) = compute.compare_sampling(sweep, "inception_score").to_dict("records")
    (down,) = compute.compare_sampling(sweep, "fid").to_dict("records")
    assert (up["ahead"], down["ahead"]) == ("larger", "smaller")
    assert up["ratio"] == pytest.approx(9 / 5) and down["ratio"] == pytest.approx(5 / 9)


def test_equal_curves_have_nobody_ahead():
    sweep = pd.concat([curve("small", 10.0, 5.0), curve("large", 20.0, 5.0)])
    pairs = compute.compare_sampling(sweep, "fid")
    assert pairs["ahead"].tolist() == ["neither"]
    assert compute.share_larger_ahead(pairs) == 0.0


def test_pairs_without_common_compute_are_absent():
    sweep = pd.concat([curve("small", 1.0, 5.0), curve("large", 1000.0, 4.0)])
    pairs = compute.compare_sampling(sweep, "fid")
    assert len(pairs) == 0 and compute.share_larger_ahead(pairs) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(0.1, 300)), min_size=1, max_size=30))
def test_the_frontier_is_what_no_other_point_beats(points):
    curves = pd.DataFrame(points, columns=["train_gflops", "value"]).assign(label="m")
    front = compute.frontier(curves, "fid")
    assert front["value"].is_monotonic_decreasing and front["train_gflops"].is_monotonic_increasing
    for c, v in points:
        at_most = front[front["train_gflops"] <= c]["value"]
        assert len(at_most) and at_most.min() <= v


def test_a_step_up_is_counted_between_neighbours_only():
    final = pd.DataFrame(
        {
            "label": ["S/8", "B/8", "L/8"],
            "model": ["S/8", "B/8", "L/8"],
            "size": ["S", "B", "L"],
            "patch_size": [8, 8, 8],
            "family": "DiT",
            "block": "adaln-zero",
            "image_size": 256,
            "gflops": [1.0, 2.0, 3.0],
            "value": [30.0, 20.0, 25.0],
        }
    )
    assert compute.steps_forward(final, "fid", "size") == (1, 2)
    assert compute.steps_forward(final, "inception_score", "size") == (1, 2)
    assert compute.steps_forward(final, "fid", "patch_size") == (0, 0)


def test_pairs_say_whether_the_models_have_the_same_patch_size():
    sweep = pd.concat([curve("S/8", 1.0, 9.0, patch=8), curve("S/4", 4.0, 5.0, patch=4)])
    sweep = pd.concat([sweep, curve("B/4", 8.0, 4.0, patch=4), curve("own", 9.0, 3.0, patch=None)])
    pairs = compute.compare_sampling(sweep, "fid")
    same = {(p["smaller"], p["larger"]) for p in pairs.to_dict("records") if p["same_patch"]}
    assert same == {("S/4", "B/4")} and len(pairs) == 6


def test_a_step_forward_is_between_models_that_were_trained_alike():
    rows = [
        ("S", 10.0, 30.0),
        ("B", 20.0, 20.0),
        ("S ema 0.9", 10.0, 50.0),
        ("B ema 0.9", 20.0, 60.0),
    ]
    final = pd.DataFrame(
        {
            "label": [f"DiT-{name[0]}/4{name[1:]}" for name, _, _ in rows],
            "model": [f"DiT-{name[0]}/4" for name, _, _ in rows],
            "size": [name[0] for name, _, _ in rows],
            "patch_size": 4,
            "gflops": [g for _, g, _ in rows],
            "value": [v for _, _, v in rows],
            "family": "DiT",
            "block": "adaln-zero",
            "image_size": 256,
        }
    )
    assert compute.steps_forward(final, "fid", "size") == (1, 2)
