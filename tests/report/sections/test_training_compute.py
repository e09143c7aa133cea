"""Figure 9: the envelope, the best model per budget and the crossings, with intervals."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd
import pytest
from report_words import cells_of, said

from harness.report.findings import find
from harness.report.sections.training_compute import MOST, crossings_table, tops


def swept(make, std=0.01):
    found = make.frames(sizes=("S", "B", "XL"), patches=(2,), sweep=(), noise=0.0,
                        milestones=(50, 200, 800, 3200))  # fmt: skip
    rows = found["metrics"]
    if std:
        rows["std"] = rows["value"].astype(float) * std
    return make.report(found, ("training-compute",), samples={})


@pytest.mark.slow
def test_the_best_model_of_a_budget_is_told_with_what_ties_with_it(make):
    rows = cells_of(swept(make), "tab-budgets")["rows"]
    assert rows and all("±" in row[2] for row in rows)
    assert {row[1] for row in rows} <= {f"DiT-micro-{s}/2" for s in ("S", "B", "XL")}
    assert any(row[3] == "none" for row in rows)


@pytest.mark.slow
def test_crossings_have_an_interval_or_say_that_it_is_open(make):
    rows = cells_of(swept(make), "tab-crossings")["rows"]
    assert [row[:2] for row in rows] == [
        ["DiT-micro-S/2", "DiT-micro-B/2"],
        ["DiT-micro-B/2", "DiT-micro-XL/2"],
    ]
    assert all(row[2] in ("crossing", "larger ahead throughout", "smaller ahead throughout")
               for row in rows)  # fmt: skip
    without = cells_of(swept(make, std=0), "tab-crossings")["rows"]
    assert {row[4] for row in without} == {"open"}
    assert "no standard errors" in said(swept(make, std=0))


def met(compute, low, high, rows=1):
    row = {"smaller": "S", "larger": "B", "seen": "crossing", "compute": compute, "low": low,
           "high": high, "first": 10.0, "last": 1000.0}  # fmt: skip
    return pd.DataFrame([row] * rows)


@pytest.mark.parametrize(
    ("ends", "cells"),
    [
        ((100.0, 50.0, 200.0), ["100", "50.0 to 200"]),
        ((100.0, 0.0, 200.0), ["100", "below the range to 200"]),
        ((100.0, 50.0, math.inf), ["100", "50.0 to beyond the range"]),
        ((100.0, 0.0, math.inf), ["100", "open"]),
        ((math.nan, 0.0, math.inf), ["–", "open"]),
    ],
)
def test_an_end_of_a_crossing_that_was_not_measured_is_no_number(ends, cells) -> None:
    ((row,),) = (t.rows for t in crossings_table(SimpleNamespace(), met(*ends)))
    assert row[3:5] == cells and row[5] == "10.0 to 1,000"


def test_crossings_that_are_cut_are_counted() -> None:
    """A page of neighbours ended without a message after forty."""
    (table,) = crossings_table(SimpleNamespace(), met(100.0, 50.0, 200.0, rows=MOST + 3))
    assert len(table.rows) == MOST and "3 more pairs of neighbours" in str(table.caption)
    (table,) = crossings_table(SimpleNamespace(), met(100.0, 50.0, 200.0, rows=MOST))
    assert "more pairs" not in str(table.caption)


@pytest.mark.parametrize(("higher", "best"), [(False, ["S", "B", "B"]), (True, ["B", "S", "S"])])
def test_the_best_of_a_budget_follows_the_metrics_direction(higher: bool, best: list[str]) -> None:
    at = pd.DataFrame(
        [("one", 1.0, "S", 2.0), ("one", 1.0, "B", 3.0), ("one", 9.0, "S", 2.0),
         ("one", 9.0, "B", 1.0), ("two", 1.0, "S", 5.0), ("two", 1.0, "B", 4.0)],
        columns=["group", "budget", "label", "value"],
    )  # fmt: skip
    assert list(tops(SimpleNamespace(higher=higher), at)["label"]) == best
    assert not len(tops(SimpleNamespace(higher=higher), at[:0]))


def test_crossings_are_drawn_with_their_interval(make):
    from harness.report import figures

    curves = pd.DataFrame(
        [("A", "", "S", 2, 1, c, a, a * 0.9, a * 1.1) for c, a in ((10, 20.0), (1000, 10.0))]
        + [("B", "", "B", 2, 2, c, b, b * 0.9, b * 1.1) for c, b in ((10, 30.0), (1000, 5.0))],
        columns=["label", "group", "size", "patch_size", "step", "train_gflops", "value", "low",
                 "high"],
    )  # fmt: skip
    row = {"smaller": "A", "larger": "B", "low": 20.0, "high": float("inf"), "first": 10.0,
           "last": 1000.0, "group": ""}  # fmt: skip
    seen = pd.DataFrame([{**row, "compute": 100.0}])
    drawing = figures.training_compute(curves, "FID", crossings=seen)
    (panel,) = drawing.figure.axes[:1]
    cross = [line for line in panel.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in cross] == [[100.0]]
    assert abs(cross[0].get_ydata()[0] - (30 * 5) ** 0.5) < 1e-9  # halfway of B's curve, in logs
    caps = [line for line in panel.lines if line.get_marker() == "|"]
    assert [list(line.get_xdata()) for line in caps] == [[20.0]]  # the open end has no cap
    assert "B is ahead of A from 100 Gflops." in drawing.alt
    none = pd.DataFrame([{**row, "compute": float("nan")}])
    drawing = figures.training_compute(curves, "FID", crossings=none)
    assert not [line for line in drawing.figure.axes[0].lines if line.get_marker() == "x"]


def scheduled(make, tails: bool):
    """The studies of `swept`, trained by a cosine: milestones on the way, or each an end."""
    found = make.frames(sizes=("S", "B", "XL"), patches=(2,), sweep=(), noise=0.0,
                        milestones=(50, 200, 800, 3200))  # fmt: skip
    rows = found["metrics"]
    rows["std"] = rows["value"].astype(float) * 0.01
    ours = rows["of"] == "samples"
    rows.loc[ours, "recipe"] = [
        f'{{"schedule": {{"name": "cosine"}}, "horizon": {step if tails else 3200}}}'
        for step in rows.loc[ours, "step"]
    ]
    return make.report(found, ("training-compute", "isoflop", "claims"), samples={})


@pytest.mark.slow
def test_checkpoints_on_the_way_are_compared_with_nothing(make):
    made = scheduled(make, tails=False)
    text = said(made)
    assert "every checkpoint but a model's last is on the way there" in text
    assert "So no best model of a budget and no crossing is read here." in text
    assert "No surface is fitted. The learning rate falls" in text
    for table in ("tab-budgets", "tab-crossings"):
        with pytest.raises(StopIteration):
            cells_of(made, table)
    verdict = {v.id: v for v in find(made).verdicts}["larger-train-efficient"]
    assert not verdict.decidable


@pytest.mark.slow
def test_trainings_of_several_lengths_are_one_curve_of_ends(make):
    made = scheduled(make, tails=True)
    assert "on the way" not in said(made)
    plain, found = find(swept(make)), find(made)
    assert list(found.compared["value"]) == list(plain.compared["value"])
    assert cells_of(made, "tab-budgets")["rows"] == cells_of(swept(make), "tab-budgets")["rows"]
    assert {v.id: v for v in found.verdicts}["larger-train-efficient"].decidable
