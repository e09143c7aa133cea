"""Records as frames: typed, complete, and every column's meaning beside them."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from committed import commit

from harness.store import frames, records, tables
from harness.store.artifacts import Store

KEY = "a" * 64


def folder(root: Path, recorded: bool = True) -> Store:
    store = Store(root)
    rows = {
        "runs": [{"key": KEY, "run": "r", "width": 384, "step": 7, "gflops": 0.5}],
        "training": [{"key": KEY, "run": "r", "step": 7, "loss": 0.25}],
    }
    commit(store, "train", "a", rows)
    if recorded:
        records.reconcile_one(store, "train", KEY)
    return store


def test_a_curve_says_what_its_model_is(tmp_path: Path) -> None:
    folder(tmp_path)
    (row,) = frames.read(tmp_path).frames["training"].to_dict("records")
    assert (row["width"], row["gflops"], row["loss"]) == (384, 0.5, 0.25)


def test_what_is_committed_and_not_recorded_is_shown_and_said(tmp_path: Path) -> None:
    folder(tmp_path, recorded=False)
    found = frames.read(tmp_path)
    assert len(found.frames["runs"]) == len(found.frames["training"]) == 1
    assert any("1 committed stages have no record in table 'runs'" in note for note in found.notes)
    assert not (tmp_path / "records").exists(), "reading writes nothing"
    with pytest.warns(frames.CorruptRecord, match="no record in table"):
        frames.read_frames(tmp_path)
    repaired = frames.read(tmp_path, repair=True)
    assert any("was missing: written again" in note for note in repaired.notes)
    assert frames.read(tmp_path).notes == ()


def test_whole_numbers_stay_whole_where_some_are_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = [{"key": KEY, "run": "r", "step": s, "loss": 1.0} for s in (1, 2)]
    commit(store, "train", "a", {"training": rows, "runs": [{"key": KEY, "seed": None}]})
    records.reconcile_one(store, "train", KEY)
    found = frames.read(tmp_path).frames
    assert str(found["runs"]["seed"].dtype) == "Int64" and found["runs"]["seed"].isna().all()
    assert str(found["training"]["step"].dtype) == "Int64"
    assert str(found["training"]["model"].dtype) == "string"


def test_a_frame_says_what_each_of_its_columns_means() -> None:
    for table in tables.TABLES:
        about = frames.attributes(table)
        assert about["table"] == table
        names = [column.name for column in frames.columns_of(table)]
        assert list(about["meaning"]) == names and all(about["meaning"].values())
        assert set(about["unit"]) <= set(names)
        json.dumps(about)  # pandas writes it so into Parquet


def test_the_words_are_shared_by_the_copies_that_pandas_makes(tmp_path: Path) -> None:
    folder(tmp_path)
    frame = frames.read(tmp_path).frames["runs"]
    assert copy.deepcopy(frame.attrs)["meaning"] is frame.attrs["meaning"]
    assert frame[frame["step"] > 0].attrs == frame.attrs
    frame.to_parquet(tmp_path / "out.parquet")


def test_an_empty_curve_has_the_columns_of_a_run_all_the_same(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    folder(full)
    nothing, something = (frames.read(root).frames["training"] for root in (empty, full))
    assert len(nothing) == 0 and list(nothing.columns) == list(something.columns)
    assert list(something.columns) == [column.name for column in frames.columns_of("training")]
    units = {column.name: column.unit for column in frames.columns_of("training") if column.unit}
    assert something.attrs["unit"] == units


def test_a_repair_moves_the_damaged_file_away_and_writes_what_the_artifact_says(
    tmp_path: Path,
) -> None:
    folder(tmp_path)
    (path,) = (tmp_path / "records" / "runs").iterdir()
    path.write_bytes(b"{")
    read = frames.read(tmp_path)
    assert any("is left out; the same `run` command restores it" in note for note in read.notes)
    assert len(read.frames["runs"]) == 1 and path.exists()
    repaired = frames.read(tmp_path, repair=True)
    assert any("moved to" in note for note in repaired.notes)
    assert not any("is left out" in note for note in repaired.notes)
    assert len(repaired.frames["runs"]) == 1 and (tmp_path / "quarantine" / path.name).exists()
    assert frames.read(tmp_path).notes == ()


def test_what_a_repair_did_hides_no_artifact_that_cannot_be_read(tmp_path: Path) -> None:
    store = folder(tmp_path)
    (path,) = (tmp_path / "records" / "runs").iterdir()
    path.write_bytes(b"{")
    (store.folder("train", KEY) / "record.json").write_bytes(b"[")
    notes = "\n".join(frames.read(tmp_path, repair=True).notes)
    assert "makes it again" in notes and "moved to" in notes
