"""The section on compute and quality (Figure 8): whose numbers, which law, which axis."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from report_words import cells_of, said

from harness.report.blocks import plain
from harness.report.figures.marks import OTHER
from harness.report.findings import find
from harness.report.sections.gflops import caption, drawing

SHAPE = {"sweep": (), "milestones": (1500,)}


def report(make, **changes):
    return make.report(make.frames(**{**SHAPE, **changes}), ("gflops",), samples={})


@pytest.mark.slow
def test_the_papers_models_are_in_a_panel_of_their_own_unless_the_setting_is_the_same(make) -> None:
    found = find(report(make))
    beside = drawing(found)
    assert beside.figure.axes[-1].get_title(loc="left") == "the paper, 400K steps"
    assert "Last panel, open markers: " in plain(caption(found))
    same = dataclasses.replace(found, papers_setting=True)
    last = [axes.get_title(loc="left") for axes in drawing(same).figure.axes]
    assert len(last) == 6 and last[-1] == "ours over the paper's"
    assert "Last panel: ours over the paper's, with our error alone" in plain(caption(same))
    assert len(drawing(found).figure.axes) == 6 and "ours over" not in plain(caption(found))
    assert (drawing(same).data[OTHER] == "the paper").sum() == len(found.paper)
    assert "Open markers: " in plain(caption(same))


@pytest.mark.slow
def test_a_family_that_the_paper_has_not_stands_alone(make) -> None:
    made = report(make, sizes=("S", "B"), patches=(2,))
    found = find(made)
    found = dataclasses.replace(found, paper=found.paper.iloc[:0])
    assert OTHER not in drawing(found).data and "Open markers" not in plain(caption(found))


@pytest.mark.slow
def test_somebody_elses_values_have_a_table_of_differences(make) -> None:
    made = report(make, sizes=("S", "B", "XL"), patches=(2,))
    final = find(made).final
    theirs = final[["label", "model", "size", "patch_size", "gflops", "params"]].assign(
        value=final["value"].astype(float) + 5.0, se=0.1, se_df=9.0
    )
    made = dataclasses.replace(made, against=theirs, against_label="their run")
    rows = cells_of(made, "tab-against")["rows"]
    assert len(rows) == 3 and {row[4] for row in rows} == {"not told apart"}  # ours has no error
    assert all(row[3].startswith("−5.0") for row in rows)
    text = said(made)
    assert "this study less their run" in text and "Open markers: their run." in text
    assert "has the differences from their run." in text


@pytest.mark.slow
def test_values_that_are_not_finite_are_counted_and_left_out(make) -> None:
    found = make.frames(**SHAPE, sizes=("S", "B", "XL"), patches=(2,))
    rows = found["metrics"]
    at = rows.index[(rows["metric"] == "fd_glyphs_cnn") & (rows["of"] == "samples")][:1]
    rows.loc[at, "value"] = float("nan")
    text = said(make.report(found, ("gflops",), samples={}))
    assert "1 recorded row has no finite value and is left out." in text


@pytest.mark.slow
def test_settings_are_spoken_of_one_by_one(make) -> None:
    one, two = (make.frames(**SHAPE, patches=(2,)) for _ in range(2))
    for name in ("metrics", "runs"):
        two[name]["learning_rate"] = 5e-3
        two[name]["run"] = two[name]["run"] + "-5e-3"
    both = {n: pd.concat([one[n], two[n]], ignore_index=True) for n in one}
    text = said(make.report(both, ("gflops",), samples={}))
    assert text.count("Pearson's correlation of log Gflops") == 2
    assert "lr 0.001:" in text and "lr 0.005:" in text


@pytest.mark.slow
def test_nothing_measured_has_no_figure(make) -> None:
    assert "No model has a measured quality yet." in said(report(make, sizes=()))


@pytest.mark.slow
def test_what_the_law_of_the_others_said_of_the_largest_model_is_drawn_and_in_a_table(make) -> None:
    made = report(make)
    found = find(made)
    (law,) = found.laws.values()
    panel = drawing(found).figure.axes[0]
    diamonds = [
        line.get_xydata()[0] for line in panel.get_lines()
        if line.get_marker() == "D" and line.get_markerfacecolor() == "none"
    ]  # fmt: skip
    left = law.left_out
    (at,) = diamonds
    unit = 1e-3 if found.final["gflops"].max() < 0.1 else 1.0
    assert tuple(at) == (left.compute / unit, left.predicted.value)
    assert "Grey diamond and bar" in plain(caption(found))
    (row,) = cells_of(made, "tab-laws")["rows"]
    assert row[0] == "all" and row[-1].endswith("%")


@pytest.mark.slow
def test_of_many_settings_those_without_a_panel_or_a_sentence_are_counted(make) -> None:
    shape = {"sizes": ("S", "B"), "patches": (2,), "milestones": (750, 1500), "sweep": (4, 8)}
    parts = []
    for k in range(10):
        one = make.frames(**shape)
        for name in ("metrics", "runs"):
            one[name]["learning_rate"] = 1e-3 * (k + 1)
            one[name]["run"] = one[name]["run"] + f"-{k}"
        parts.append(one)
    both = {n: pd.concat([one[n] for one in parts], ignore_index=True) for n in parts[0]}
    cut = ("gflops", "training-compute", "sampling-compute")  # training has twelve panels
    text = said(make.report(both, (*cut, "training"), samples={}))
    assert "Of four more settings nothing is said here." in text
    assert text.count("Drawn are the first eight of 10 settings.") == len(cut)
    assert text.count("Drawn are") == len(cut)
