"""The section on the method: every setting beside the paper's, and which differ."""

from __future__ import annotations

import dataclasses

import pytest
from report_words import cells_of, said

from harness.report.papers import papers_report
from harness.report.sections.method import PAPERS, setting_in_words
from harness.report.sections.method import said as written


def report(make, settings, **shape):
    found = make.frames(sizes=("S",), patches=(2,), sweep=(), milestones=(1500,), **shape)
    return make.report(found, ("method",), settings=settings, samples={})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (400_000, "400,000"),
        (1e-4, "0.0001"),
        (3e-5, "3e-05"),
        (0.0, "0"),
        ([0.9, 0.999], "0.9, 0.999"),
        ((None, "yes"), "none, yes"),
        (True, "True"),
    ],
)
def test_values_are_written_as_a_person_does(value: object, text: str) -> None:
    assert written(value) == text


@pytest.mark.slow
def test_the_papers_own_settings_differ_in_nothing(make) -> None:
    alike = {
        "image_size": 256, "objective": "ddpm", "steps": 400_000, "batch_size": 256,
        "learning_rate": 1e-4, "weight_decay": 0.0, "ema": 0.9999, "grad_clip": None,
        "betas": [0.9, 0.999], "data": "imagenet", "num_classes": 1000, "flip": "yes",
    }  # fmt: skip
    alike["optimizer"] = "adamw (betas 0.9, 0.999)"
    made = report(make, {**alike, "samples": 50_000, "sampling_steps": 250})
    assert "These are not the paper's" not in said(made)
    assert all(isinstance(row[1], str) for row in cells_of(made, "tab-method")["rows"])


@pytest.mark.slow
def test_what_differs_is_bold_and_named(make) -> None:
    made = report(make, {"batch_size": 64, "learning_rate": [1e-4, 1e-3], "tf32": "no"})
    rows = {row[0]: row[1:] for row in cells_of(made, "tab-method")["rows"]}
    assert rows["batch size"][0]["text"] == "64" and rows["batch size"][1] == "256"
    assert rows["learning rate"][0]["strong"] is True
    assert rows["TF32 matrix products"] == ["no", "–"]  # the paper does not say: no difference
    assert (
        "These are not the paper's: batch size, learning rate, samples measured and sampling"
        in (said(made))
    )


@pytest.mark.slow
def test_other_betas_are_no_other_optimizer(make) -> None:
    given = {"optimizer": "adamw (betas 0.9, 0.99)", "betas": [0.9, 0.99]}
    assert "not the paper's: betas of the optimizer, samples" in said(report(make, given))
    assert "not the paper's: optimizer" in said(report(make, {**given, "optimizer": "lion"}))


@pytest.mark.slow
def test_how_values_were_measured_is_added_where_the_study_does_not_say(make) -> None:
    rows = cells_of(report(make, {"batch_size": 256}), "tab-method")["rows"]
    assert [row[0] for row in rows] == ["batch size", "samples measured", "sampling steps"]


def test_a_setting_that_the_table_does_not_know_is_said_by_its_name() -> None:
    assert setting_in_words("warmup_steps") == "warmup steps"
    assert all(setting_in_words(name) != name or "_" not in name for name in PAPERS)


@pytest.mark.slow
def test_without_settings_it_says_so_and_the_papers_report_names_no_difference(make) -> None:
    empty = make.report(make.frames(sizes=()), ("method",), samples={})
    assert "settings are not available." in said(empty)
    own = dataclasses.replace(papers_report(), sections=("method",), settings={"batch_size": 64})
    assert "These are not the paper's" not in said(own)
