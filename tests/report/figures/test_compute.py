"""Figures 9 and 10: envelopes, the best per budget, and the ringed pair."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
from drawings import MODELS, lines, over

from harness.analysis import compute
from harness.report.figures.compute import sampling, training_compute

STEPS = [100, 200, 400]


def curves(**columns) -> pd.DataFrame:
    made = over("step", STEPS, **columns)
    return made.assign(train_gflops=3 * 256 * made["gflops"] * made["step"])


def test_the_envelope_is_what_nothing_beats_and_the_csv_says_which() -> None:
    every = curves()
    front = compute.frontier(every, "fid")
    drawing = training_compute(every, "FID", frontier=front)
    (axes,) = drawing.figure.axes
    assert len(lines(axes)) == len(MODELS) + 1
    envelope = next(line for line in axes.get_lines() if line.get_linewidth() == 4.5)
    assert list(envelope.get_xdata()) == sorted(front["train_gflops"])
    best = drawing.data[drawing.data["best_at_its_compute"]]
    assert set(zip(best["label"], best["step"], strict=True)) == set(
        zip(front["label"], front["step"], strict=True)
    )
    assert drawing.alt.endswith(
        ", ".join(dict.fromkeys(front.sort_values("train_gflops")["label"]))
    )


def test_without_an_envelope_no_model_is_called_best() -> None:
    drawing = training_compute(curves(), "FID")
    assert not drawing.data["best_at_its_compute"].any()
    assert "Best model" not in drawing.alt


def test_settings_that_do_not_compare_have_an_envelope_each() -> None:
    parts = [curves(group=g) for g in ("a", "b")]
    parts[1]["label"] += " b"
    both = pd.concat(parts, ignore_index=True)
    front = pd.concat([compute.frontier(p, "fid") for p in parts], ignore_index=True)
    drawing = training_compute(both, "FID", frontier=front)
    for axes, name in zip(drawing.figure.axes, "ab", strict=True):
        envelope = next(line for line in axes.get_lines() if line.get_linewidth() == 4.5)
        assert len(envelope.get_xdata()) == int((front["group"] == name).sum())
        assert axes.get_title(loc="left") == name


def sweep() -> pd.DataFrame:
    made = over("sampling_steps", [16, 64, 256])
    return made.assign(sampling_gflops=made["gflops"] * made["sampling_steps"])


def test_one_line_per_model_over_sampling_compute() -> None:
    drawing = sampling(sweep(), "FID", floor=2.0)
    (axes,) = drawing.figure.axes
    assert len(lines(axes)) == len(MODELS) + 1  # and the floor
    x, _ = lines(axes)[0]
    assert x == [1.4 * steps for steps in (16, 64, 256)]
    assert "16 to 256 steps, of DiT-S/4" in drawing.alt
    assert {"sampling_steps", "sampling_gflops"} <= set(drawing.data)


def test_the_pair_of_the_text_is_ringed_at_its_points() -> None:
    pair = SimpleNamespace(
        smaller_gflops=90.0, smaller_value=30.0, larger_gflops=60.0, larger_value=20.0
    )
    plain, ringed = (sampling(sweep(), "FID", pair=p).figure.axes[0] for p in (None, pair))
    rings = [line for line in ringed.get_lines() if line.get_markerfacecolor() == "none"]
    assert [(r.get_xdata()[0], r.get_ydata()[0]) for r in rings] == [(90.0, 30.0), (60.0, 20.0)]
    assert len(ringed.get_lines()) == len(plain.get_lines()) + 2
