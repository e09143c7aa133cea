"""The section on quality over training (Figure 6): values of every measured step."""

from __future__ import annotations

import dataclasses

import pytest
from report_words import cells_of, said

from harness.report.sections.training import MOST_STEPS


def report(make, **shape):
    found = make.frames(**{"sizes": ("S", "B"), "patches": (2,), "sweep": (), **shape})
    return make.report(found, ("training",), samples={})


@pytest.mark.slow
def test_every_step_is_a_column_and_every_model_a_row(make) -> None:
    made = report(make, milestones=(100, 1000, 10_000))
    table = cells_of(made, "tab-steps")
    assert table["head"] == [["Model", "100", "1,000", "10,000"]]
    assert [row[0] for row in table["rows"]] == ["DiT-micro-S/2", "DiT-micro-B/2"]
    rows = made.frames["metrics"]
    mine = rows[(rows["metric"] == "fd_glyphs_cnn") & (rows["model"] == "DiT-micro-S/2")]
    first = float(mine[mine["step"] == 100]["value"].iloc[0])
    assert table["rows"][0][1] == f"{first:.3g}"


@pytest.mark.slow
def test_a_step_that_one_model_lacks_is_a_dash(make) -> None:
    made = report(make, milestones=(100, 1000))
    rows = made.frames["metrics"]
    gone = (rows["model"] == "DiT-micro-B/2") & (rows["step"] == 100)
    frames = {**made.frames, "metrics": rows[~gone.fillna(False)]}
    made = dataclasses.replace(made, frames=frames)
    assert cells_of(made, "tab-steps")["rows"][1][1] == "–"


@pytest.mark.slow
def test_of_many_steps_the_first_and_the_last_are_among_those_shown(make) -> None:
    steps = tuple(range(100, 3100, 100))
    head = cells_of(report(make, milestones=steps), "tab-steps")["head"][0]
    assert len(head) == 1 + MOST_STEPS and head[1] == "100" and head[-1] == "3,000"


@pytest.mark.slow
def test_one_step_is_no_curve(make) -> None:
    text = said(report(make, milestones=(1500,)))
    assert "Quality was not measured at more than one training step." in text


@pytest.mark.slow
def test_how_panels_are_divided_is_said_where_they_are_two_rows(make) -> None:
    both = said(report(make, patches=(2, 4), milestones=(100, 1000)))
    assert "Above: sizes at one patch size. Below: patch sizes at one size." in both
    assert "Above" not in said(report(make, milestones=(100, 1000)))
