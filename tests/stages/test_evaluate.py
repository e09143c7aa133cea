"""The evaluate and reference stages: what can be measured is, what cannot is left out."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.components import Absent
from harness.errors import BadInput
from harness.metrics.class_score import ClassScore

Laboratory = Any  # conftest.py's; pytest gives it without an import
pytestmark = pytest.mark.filterwarnings("ignore:.*covariance is rank-deficient")


@pytest.fixture(scope="module")
def sampled(prepared: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    laboratory = prepared.copy(tmp_path_factory.mktemp("sampled"))
    laboratory.make(laboratory.task("evaluate"))
    return laboratory


@pytest.fixture
def laboratory(sampled: Laboratory, tmp_path: Path) -> Laboratory:
    return sampled.copy(tmp_path)


@pytest.mark.slow
def test_every_metric_asked_for_is_a_row_that_says_what_made_it(laboratory: Laboratory) -> None:
    task = laboratory.task("evaluate")
    laboratory.run(task)
    rows = {r["metric"]: r for r in laboratory.rows(task, "metrics")}
    assert sorted(rows) == [
        "fd_glyphs_cnn",
        "is_glyphs_cnn",
        "precision_glyphs_cnn",
        "recall_glyphs_cnn",
        "sfd_glyphs_cnn",
    ]
    for row in rows.values():
        assert math.isfinite(row["value"]) and row["of"] == "samples"
        assert row["samples"] == 40 and row["reference_key"] == task.inputs["reference"]
        assert row["extractor"] == "glyphs-cnn" and len(row["extractor_sha256"]) == 64
        assert row["step"] == 12 and row["sampling_steps"] == 3
        assert row["resize"] == "none" and len(row["reference_sha256"]) == 64
        assert row["reference_images"] > 0 and row["harness"] and row["torch"]
        assert {"torch-fidelity", "numpy", "scipy"} <= set(with_(row)["versions"])
        assert "decoder_sha256" not in with_(row)
    for name in ("precision_glyphs_cnn", "recall_glyphs_cnn"):
        assert rows[name]["k"] == 3 and rows[name]["recall_images"] > 0
        assert rows[name]["distance_dtype"].startswith("float32")
    assert rows["is_glyphs_cnn"]["split_size"] > 0
    assert with_(rows["is_glyphs_cnn"])["short_last_chunk"] == "refuse"


@pytest.mark.slow
def test_the_records_hold_the_checksum_of_the_decoder_where_there_is_one(
    laboratory: Laboratory,
) -> None:
    """Three decoders by name (Table 4) may be one by weights."""
    task = laboratory.task("evaluate")
    samples = laboratory.store.folder("sample", task.inputs["samples"]) / "manifest.json"
    said = json.loads(samples.read_text())
    assert said["facts"]["decoder_sha256"] is None  # pixels
    said["facts"]["decoder_sha256"] = "d" * 64
    del said["sha256"]  # as manifests of before had none
    samples.write_text(json.dumps(said))
    laboratory.run(task)
    for row in laboratory.rows(task, "metrics"):
        assert with_(row)["decoder_sha256"] == "d" * 64


def with_(row: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(row["measured_with"]))


@pytest.mark.slow
def test_the_records_say_with_which_subsets_and_seed_a_spread_was_found(
    laboratory: Laboratory,
) -> None:
    task = laboratory.task(
        "evaluate",
        "evaluations.final.subsets=3",
        "evaluations.final.metrics=[fd, sfd, fd_infinity]",
    )
    laboratory.run(task)
    rows = {r["metric"]: r for r in laboratory.rows(task, "metrics")}
    for name in ("fd_glyphs_cnn", "sfd_glyphs_cnn"):
        assert rows[name]["std"] > 0 and "jackknife" in rows[name]["std_method"]
        assert (with_(rows[name])["subsets"], with_(rows[name])["seed"]) == (3, 0)
    infinite = with_(rows["fd_infinity_glyphs_cnn"])
    assert infinite["seed"] == 0 and len(infinite["sizes"]) == len(infinite["distances"]) == 15


@pytest.mark.slow
def test_what_cannot_be_measured_is_absent_and_never_zero(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*_: Any) -> Any:
        raise Absent("these features do not carry it")

    monkeypatch.setattr(ClassScore, "measure", measure)
    task = laboratory.task("evaluate", "evaluations.final.split_size=20")
    laboratory.run(task)
    rows = {r["metric"]: r for r in laboratory.rows(task, "metrics")}
    assert "fd_glyphs_cnn" in rows and "is_glyphs_cnn" not in rows
    assert "is_glyphs_cnn is not measured" in capsys.readouterr().out
    assert "is_glyphs_cnn" in laboratory.manifest(task)["facts"]["absent"]


@pytest.mark.slow
def test_the_reference_is_made_in_one_pass_without_a_feature_matrix(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.metrics import Reference

    seen: list[int] = []
    kept = Reference.from_images.__func__

    def spy(cls: Any, batches: Any, extractor: Any, **settings: Any) -> Reference:
        assert isinstance(batches, Iterator)  # one at a time: a training set does not fit
        return kept(cls, (seen.append(len(b)) or b for b in batches), extractor, **settings)

    monkeypatch.setattr(Reference, "from_images", classmethod(spy))
    task = laboratory.task("reference", "reference.seed=5")
    laboratory.run(task)
    facts = laboratory.manifest(task)["facts"]
    assert sum(seen) == facts["images"]


def test_an_extractor_with_other_weights_than_the_study_asks_for_is_refused(
    laboratory: Laboratory,
) -> None:
    task = laboratory.task("reference", f"reference.extractor_sha256={'f0' * 32}")
    with pytest.raises(BadInput, match="the study asks for f0f0"):
        laboratory.run(task)


@pytest.mark.slow
def test_a_new_metric_is_measured_alone_of_the_features_that_were_kept(
    laboratory: Laboratory,
) -> None:
    """The samples may be gone; what was measured before stays the number it was."""
    first, more = laboratory.task("evaluate", *metrics("fd, is")), metrics("fd, precision")
    laboratory.run(first)
    samples = laboratory.store.folder("sample", first.inputs["samples"])
    alone = laboratory.task("evaluate", *more)
    again = replace(alone, after={"features": first.key})
    shutil.rmtree(samples)
    laboratory.run(again)
    rows = {r["metric"]: r for r in laboratory.rows(again, "metrics")}
    assert sorted(rows) == ["fd_glyphs_cnn", "precision_glyphs_cnn"]
    before = {r["metric"]: r for r in laboratory.rows(first, "metrics")}["fd_glyphs_cnn"]
    assert rows["fd_glyphs_cnn"] == {**before, "key": again.key}
    assert laboratory.result(again).kept == ("pool", "probabilities")


@pytest.mark.slow
def test_what_is_taken_over_is_what_would_be_measured(
    laboratory: Laboratory, sampled: Laboratory, tmp_path: Path
) -> None:
    first, whole = laboratory.task("evaluate", *metrics("fd")), metrics("fd, recall, coverage")
    laboratory.run(first)
    again = replace(laboratory.task("evaluate", *whole), after={"features": first.key})
    laboratory.run(again)
    other = sampled.copy(tmp_path / "other")
    at_once = other.task("evaluate", *whole)
    other.run(at_once)
    made = {"committed"}
    strip = [
        [{k: v for k, v in row.items() if k not in made} for row in rows]
        for rows in (laboratory.rows(again, "metrics"), other.rows(at_once, "metrics"))
    ]
    assert strip[0] == strip[1]


@pytest.mark.slow
def test_without_kept_features_the_samples_are_read_again(laboratory: Laboratory) -> None:
    first = laboratory.task("evaluate", *metrics("fd"))
    laboratory.run(first)
    again = replace(laboratory.task("evaluate", *metrics("fd, sfd")), after={"numbers": first.key})
    laboratory.run(again)
    assert [r["metric"] for r in laboratory.rows(again, "metrics")] == [
        "fd_glyphs_cnn",
        "sfd_glyphs_cnn",
    ]


def metrics(names: str) -> tuple[str, ...]:
    return (f"evaluations.final.metrics=[{names}]",)
