"""What could not be measured, and what is badly measured, is said wherever numbers are shown."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from tiny_study import TINY
from verbs import Said, stages

from harness.commands import common, remarks, report
from harness.plan import make_plan
from harness.spec import load_study
from harness.store import Store, codec
from harness.store.results import RESULTS, EncodeResult, EvaluateResult

WHY = "the reference has no spatial statistics"
SAID = f"sfd_glyphs_cnn is not measured in 1 of 1 measurement (final): {WHY}"


@pytest.fixture
def measured(study: Path) -> Path:
    """The tiny study with one evaluation committed that lacks a metric."""
    one = stages(study, "evaluate")[0]
    store = Store(study.parent / "results")
    rows = [{"key": one.key, "of": "samples", "metric": "fd_glyphs_cnn", "value": 2.0}]
    store.commit(
        "evaluate",
        one.key,
        store.staging(one.key),
        {"metrics": rows},
        codec.told(EvaluateResult(absent={"sfd_glyphs_cnn": WHY})),
        {},
    )
    return study


def test_status_says_which_metric_is_missing_and_why(measured: Path, verb: Said) -> None:
    code, said = verb("status", measured.name)
    assert code == 0 and f"note: {SAID}" in said


@pytest.mark.slow
def test_results_have_a_column_for_what_was_asked_and_say_why_it_is_empty(
    measured: Path, verb: Said
) -> None:
    code, said = verb("results", measured.name)
    assert code == 0 and f"note: {SAID}" in said
    assert "sfd_glyphs_cnn" in next(line for line in said.splitlines() if "evaluation" in line)
    assert "fd_glyphs_cnn: 40 generated samples and 60 reference samples for 64 dim" in said
    code, said = verb("results", measured.name, "--csv")
    assert code == 0 and f"note: {SAID}" in said  # on stderr


def test_the_first_page_says_so_too(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(measured.parent)
    study = load_study(measured)
    plan = make_plan(study)
    root = measured.parent / "results"
    opened = common.Opened(
        study, plan, list(plan.stages.values()), Store(root), common.Ledger(root)
    )
    about = report.gather(opened).about
    assert f"Note: {SAID}." in about and about.startswith("A study for tests. Note: fd_glyphs_cnn")
    assert remarks.lacking(opened) == ["sfd_glyphs_cnn"]


@pytest.mark.slow
def test_classes_that_are_not_alike_are_told_once_they_are_encoded(
    measured: Path, monkeypatch: pytest.MonkeyPatch, verb: Said
) -> None:
    """Whoever reads the numbers must know; data that draws so itself needs no word."""
    labels = np.repeat([0, 1], [90, 10])
    monkeypatch.setattr("harness.data.encoded_labels.labels_of", lambda folder: labels)
    said = "note: the classes of 'glyphs' have 0 to 90 images"
    assert said not in verb("results", measured.name)[1]  # nothing is encoded
    one = stages(measured, "encode")[0]
    store = Store(measured.parent / "results")
    result = codec.told(EncodeResult("glyphs", 8, 100, (1, 8, 8), 10, "0" * 64, "identity"))
    store.commit("encode", one.key, store.staging(one.key), {}, result, {})
    assert said in verb("results", measured.name)[1]
    asked = ("results", measured.name, "--set", "evaluations.final.labels=data")
    assert "the classes of" not in verb(*asked)[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["floor", "subset", "ceiling"])
def test_what_stands_beside_numbers_says_what_it_lacks_too(
    kind: str, study: Path, verb: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    study.write_text(TINY.replace("floor_images: 40", "floor_images: 20"))
    (one, *_) = stages(study, kind)
    store = Store(study.parent / "results")
    rows = [{"key": one.key, "of": kind, "metric": "fd_glyphs_cnn", "value": 2.0}]
    result = RESULTS[kind](images=20, absent={"sfd_glyphs_cnn": WHY})
    store.commit(kind, one.key, store.staging(one.key), {"metrics": rows}, codec.told(result), {})
    called = {"subset": "measurement of the first samples"}.get(kind, kind)
    said = f"sfd_glyphs_cnn is not measured in 1 of 1 {called} (final): {WHY}"
    for words in (("status",), ("results",)):
        assert f"note: {said}" in verb(*words, study.name)[1]
    given = argparse.Namespace(study="tiny.yaml", profile=None, overrides=[], results="results")
    opened = common.open_study(given)
    assert remarks.unmeasured(opened) == [said]
    assert f"Note: {said}." in report.gather(opened).about


def test_validate_and_plan_say_it_before_anything_is_computed(study: Path, verb: Said) -> None:
    for words in (("validate",), ("plan",)):
        code, said = verb(*words, study.name)
        assert code == 0 and "for 64 dimensions" in said and "(evaluations.final)" in said
    study.write_text(
        TINY.replace("samples: 40", "samples: 500").replace("images: 60", "images: 500")
    )
    enough = ("--set", "evaluations.final.split_size=100", "--set", "train.ema=0.2")
    code, said = verb("validate", study.name, *enough)
    assert code == 0 and "note" not in said


def test_an_average_that_holds_untrained_weights_is_said_by_validate_and_plan(
    study: Path, verb: Said
) -> None:
    for words in (("validate",), ("plan",)):
        code, said = verb(*words, study.name)
        assert code == 0 and "still holds 73% of the untrained weights" in " ".join(said.split())


def test_a_report_of_a_study_that_has_only_begun_is_not_of_1970(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    (encode,) = stages(study, "encode")
    store = Store(study.parent / "results")
    about = {"provenance": {"committed": "2026-03-01T14:05:00+00:00"}}
    store.commit("encode", encode.key, store.staging(encode.key), {}, {}, about)
    given = argparse.Namespace(study="tiny.yaml", profile=None, overrides=[], results="results")
    opened = common.open_study(given)
    assert report.gather(opened).date.isoformat() == "2026-03-01T14:05:00+00:00"
