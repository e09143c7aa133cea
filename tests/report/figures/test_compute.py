"""Figures 9 and 10: envelopes, the best per budget, and the ringed pair."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from drawings import MODELS, lines, over

from harness.analysis import compute
from harness.analysis.crossings import at_budgets, crossings
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
    ordered = ", ".join(dict.fromkeys(front.sort_values("train_gflops")["label"]))
    assert drawing.alt.endswith(f"Best model as the budget grows: {ordered}.")


@pytest.mark.slow
def test_the_best_of_each_budget_is_a_diamond_on_its_drawn_curve() -> None:
    every = curves(group="")
    at = at_budgets(every, np.geomspace(2e6, 2e7, 5), "fid").assign(group="")
    top = at.loc[at.groupby("budget")["value"].idxmin()]
    drawing = training_compute(every, "FID", budgets=top)
    axes = drawing.figure.axes[0]
    (diamonds,) = [line for line in axes.get_lines() if line.get_marker() == "D"
                   and line.get_linestyle() == "None"]  # fmt: skip
    assert list(diamonds.get_xdata()) == list(top["budget"])
    drawn = [np.array(line) for line in lines(axes) if len(line[0]) > 20]
    for x, y in zip(diamonds.get_xdata(), diamonds.get_ydata(), strict=True):
        reads = [np.interp(np.log(x), np.log(a), b) for a, b in drawn if a[0] <= x <= a[-1]]
        assert min(abs(np.array(reads) / y - 1)) < 2e-3
    assert f"Best at each budget: {top['label'].iloc[0]} at " in drawing.alt


def meeting(group: str = "") -> pd.DataFrame:
    """Two models of one setting whose curves cross between 1e3 and 1e5 Gflops."""
    pair = [("S/2", "S", 1, [100.0, 10.0, 8.0]), ("B/2", "B", 4, [300.0, 9.0, 2.0])]
    return pd.DataFrame(
        [(f"{label} {group}".rstrip(), group, size, 2, step, gflops, x, y, y, y)
         for label, size, gflops, values in pair
         for step, x, y in zip(STEPS, (1e3, 1e5, 1e7), values, strict=True)],
        columns=["label", "group", "size", "patch_size", "step", "gflops", "train_gflops", "value",
                 "low", "high"],
    )  # fmt: skip


def test_lines_meet_where_the_crossing_is_said_to_be() -> None:
    """Far marks: a straight line on the page would leave the curve that the cross is read from."""
    rows = meeting()
    found = crossings(rows, "fid").assign(group="")
    axes = training_compute(rows, "FID", crossings=found).figure.axes[0]
    (cross,) = [line for line in axes.get_lines() if line.get_marker() == "x"]
    x, y = cross.get_xdata()[0], cross.get_ydata()[0]
    assert 1e3 < x < 1e5
    for a, b in lines(axes):
        if len(a) > 20:
            assert np.interp(np.log(x), np.log(a), b) == pytest.approx(y, rel=5e-3)


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
    first, second = drawing.alt.split(" a: best model as the budget grows: ")[1].split(" b: ")
    assert " b" not in first and second.startswith("best model as the budget grows: DiT-S/4 b")
    assert all(word.endswith(" b") for word in second[31:].rstrip(".").split(", "))


@pytest.mark.slow
def test_each_setting_has_its_own_crossings_and_budgets_in_its_panel_and_in_words() -> None:
    parts = [meeting(g) for g in ("a", "b")]
    both = pd.concat(parts, ignore_index=True)
    met = pd.concat([crossings(p, "fid").assign(group=p["group"].iloc[0]) for p in parts])
    at = pd.concat([at_budgets(p, [1e4, 1e6], "fid").assign(group=p["group"].iloc[0])
                    for p in parts], ignore_index=True)  # fmt: skip
    best = at.loc[at.groupby(["group", "budget"])["value"].idxmin()]
    drawing = training_compute(both, "FID", crossings=met, budgets=best)
    for axes in drawing.figure.axes:
        assert sum(line.get_marker() == "x" for line in axes.get_lines()) == 1
    a, b = drawing.alt.split(" b: ")
    assert "B/2 a is ahead of S/2 a from" in a and "B/2 b is ahead of S/2 b from" in b
    assert " a: best at each budget: S/2 a at " in a and "/2 a" not in b


@pytest.mark.slow
def test_settings_without_a_panel_are_counted_in_the_words() -> None:
    many = pd.concat([curves(group=f"lr {k}") for k in range(10)], ignore_index=True)
    assert training_compute(many, "FID").alt.endswith(" 2 more settings are not drawn.")


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
