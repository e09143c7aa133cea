"""`results`: a study's own numbers in its own words, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from opened import opened

from harness.cli import main
from harness.commands import results
from harness.dispatch.ledger import Ledger
from harness.plan.index import index
from harness.store import records, studies


@pytest.mark.slow
def test_records_bear_the_names_of_the_study_that_shows_them(tmp_path: Path) -> None:
    """Whoever trained a checkpoint first wrote its name for it."""
    study = opened(tmp_path)
    m = study.plan.measurements[0]
    row = {"model": "mine-2x32x2/8", "family": "mine", "size": None, "of": "samples"}
    metric = {**row, "key": m.evaluate, "checkpoint_key": m.checkpoint, "metric": "fd", "value": 1}
    floor = {"key": "f" * 64, "metric": "fd", "value": 0.1, "of": "floor"}
    records.write(study.store.root, "metrics", m.evaluate, [metric])
    records.write(study.store.root, "metrics", "f" * 64, [floor])  # of another study
    run = {k: v for k, v in row.items() if k != "of"} | {"key": m.checkpoint}
    records.write(study.store.root, "runs", m.checkpoint, [run])
    training = {"key": m.checkpoint, "model": "mine-2x32x2/8", "step": 3}
    records.write(study.store.root, "training", m.checkpoint, [training])
    frames = results.frames_of(study)
    for name in ("metrics", "runs"):
        named = frames[name][["model", "family", "size"]].to_numpy().tolist()
        assert named == [["DiT-micro-S/8", "DiT-micro", "S"]]
    assert frames["training"]["model"].tolist() == ["DiT-micro-S/8"]


@pytest.fixture
def at_kept(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(kept)
    return kept


Printed = pytest.CaptureFixture[str]


@pytest.mark.slow
def test_results_are_a_table_csv_or_json(at_kept: Path, capsys: Printed) -> None:
    assert main(["results", "kept.yaml", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    values = {float(row["value"]) for row in rows if row["of"] == "samples"}
    assert len(values) > 4
    assert main(["results", "kept.yaml", "--json"]) == 0
    as_json = json.loads(capsys.readouterr().out)
    assert len(as_json) == len(rows)
    assert {row["value"] for row in as_json if row["of"] == "samples"} == values
    assert main(["results", "kept.yaml"]) == 0
    table = capsys.readouterr().out
    assert "fd_glyphs_cnn" in table and "floor (real images)" in table
    assert main(["results", "kept.yaml", "--table", "runs"]) == 0
    runs = capsys.readouterr().out
    assert all(row["model"] in runs for row in rows if row["of"] == "samples")


def test_json_has_every_digit_and_null_for_what_is_missing() -> None:
    values = [1 / 3 * 1e-9, 39.168332665878054, float("nan"), float("inf")]
    counts = pd.array([1, 2, None, 2**53 + 1], dtype="Int64")
    frame = pd.DataFrame({"value": values, "samples": counts, "name": ["é", None, "b", "c"]})
    rows = json.loads(results.as_json(frame))
    assert [row["value"] for row in rows] == [*values[:2], None, None]
    assert [row["samples"] for row in rows] == [1, 2, None, 2**53 + 1]
    assert [row["name"] for row in rows] == ["é", None, "b", "c"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("kept.yaml", "--results", "absent"), 0, "absent is not there: nothing was run yet"),
        (("--compact", "--results", "absent"), 2, "results folder absent is not there"),
        ((), 2, "say which STUDY's results"),
        (("kept.yaml", "--csv", "--json"), 2, "not allowed with argument"),
    ],
)
def test_what_there_is_not_is_said(
    at_kept: Path, words: tuple[str, ...], code: int, said: str, capsys: Printed
) -> None:
    assert main(["results", *words]) == code
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_record_files_are_merged_and_say_the_same(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.chdir(shutil.copytree(kept, tmp_path / "copy"))
    main(["results", "kept.yaml", "--csv"])
    before = capsys.readouterr().out
    assert main(["results", "--compact"]) == 0
    assert "record files were merged" in capsys.readouterr().out
    main(["results", "kept.yaml", "--csv"])
    assert capsys.readouterr().out == before
    monkeypatch.setattr(Ledger, "claim", lambda self, key: False)  # another has it
    assert main(["results", "--compact"]) == 3
    assert "another process is merging" in capsys.readouterr().out


def test_a_study_whose_component_is_elsewhere_is_shown_as_it_was_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    """The name alone is enough, where its file is not available."""
    study = opened(tmp_path)
    m = study.plan.measurements[0]
    row = {"key": m.evaluate, "checkpoint_key": m.checkpoint, "metric": "fd", "value": 7.25}
    records.write(study.store.root, "metrics", m.evaluate, [{**row, "of": "samples"}])
    studies.write(study.store.root, index(study.plan))
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").unlink()
    assert main(["results", "tiny", "--csv"]) == 0
    out, err = capsys.readouterr()
    assert "7.25" in out and "this is tiny as it was run" in err
    assert main(["results", "tiny", "--set", "train.steps=9"]) == 2  # of which nothing is known
    assert main(["results", "tinny"]) == 2
