"""The section on losses (Figure 13): means over seeds, each interval once."""

from __future__ import annotations

import pandas as pd
import pytest
from report_words import said

from harness.report.sections.loss import curves, minimised


def frames(make, losses, **shape):
    found = make.frames(sizes=("S", "B"), patches=(2,), sweep=(), milestones=(1500,), **shape)
    runs = found["runs"]
    rows = [
        {"key": key, "run": run, "model": model, "step": step, "loss": value}
        for key, run, model in zip(runs["key"], runs["run"], runs["model"], strict=True)
        for step, value in losses
    ]
    found["training"] = make.empty("training", rows)
    return found


def test_a_row_per_model_and_interval_by_compute(make) -> None:
    found = frames(make, [(200, 0.5), (100, 1.0)])
    rows = curves(found["training"], found["runs"])
    assert rows["step"].tolist() == [100, 200, 100, 200]
    assert rows["value"].tolist() == [1.0, 0.5, 1.0, 0.5]
    assert rows["label"].tolist() == ["DiT-micro-S/2"] * 2 + ["DiT-micro-B/2"] * 2


@pytest.mark.slow
def test_seeds_are_averaged_and_counted(make) -> None:
    found = frames(make, [(100, 1.0)], seeds=(0, 1))
    training = found["training"]
    training.loc[training["run"].str.contains("-1-"), "loss"] = 3.0
    rows = curves(training, found["runs"])
    assert rows["value"].tolist() == [2.0, 2.0] and rows["seeds"].tolist() == [2, 2]
    assert "means over training seeds" in said(make.report(found, ("loss",), samples={}))


def test_an_interval_that_two_stages_recorded_counts_once(make) -> None:
    found = frames(make, [(100, 1.0)], seeds=(0, 1))
    training = found["training"]
    mine = training[training["run"] == training["run"][0]]
    twice = pd.concat([training, mine, mine], ignore_index=True)
    twice.loc[len(training) :, "loss"] = 1.0
    rows = curves(twice, found["runs"])
    assert rows["seeds"].tolist() == [2, 2] and rows["value"].tolist() == [1.0, 1.0]


def test_losses_that_are_lost_or_of_other_runs_are_left_out(make) -> None:
    found = frames(make, [(100, 1.0), (200, float("nan")), (300, float("inf"))])
    foreign = found["training"].assign(run="another")
    both = pd.concat([found["training"], foreign], ignore_index=True)
    assert curves(both, found["runs"])["step"].tolist() == [100, 100]
    assert not len(curves(found["training"].iloc[:0], found["runs"]))
    assert not len(curves(found["training"], found["runs"].iloc[:0]))


@pytest.mark.slow
def test_without_a_loss_it_says_so(make) -> None:
    found = frames(make, [])
    assert "No training loss was recorded." in said(make.report(found, ("loss",), samples={}))


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        (["ddpm", "ddpm"], "mse and variational bound"),
        ([None, "ddpm"], "mse and variational bound"),  # records of before there were others
        (["flow", "flow"], "the objective's loss (flow)"),
        (["ddpm", "flow"], "each objective's own loss (ddpm and flow)"),
    ],
)
def test_the_loss_is_named_for_what_was_minimised(objectives: list[str | None], said: str) -> None:
    assert minimised(pd.DataFrame({"objective": objectives})) == said


def test_records_without_the_column_are_of_ddpm() -> None:
    assert minimised(pd.DataFrame({"run": ["a"]})) == "mse and variational bound"
