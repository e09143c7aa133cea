"""Records: one explicit schema, every key once, damage named and repaired."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from harness.store import Store, files, records, tables
from harness.store.reconciling import set_aside
from harness.store.records import CorruptRecord, read_frames


def commit(store: Store, number: int, value: float | None = 1.5) -> str:
    """An evaluate artifact with one metrics row."""
    key = f"{number:064x}"
    row = {"key": key, "metric": "fd_x", "value": value, "samples": 10, "guidance_scale": 1.0}
    staging = store.staging(key)
    store.commit("evaluate", key, staging, {"metrics": [row]}, {}, {"settings": {}})
    return key


def recorded(root: Path) -> list[str]:
    """Keys in the record files, as they are found without the artifacts' help."""
    return sorted(records.scan(root, "metrics").keys)


def test_a_stages_rows_come_back_with_their_types(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = commit(store, 1)
    records.reconcile_one(store, "evaluate", key)
    frame = read_frames(tmp_path)["metrics"]
    assert list(frame.columns) == [c.name for c in tables.METRICS]
    row = frame.iloc[0]
    assert (row["key"], row["value"], row["samples"]) == (key, 1.5, 10)
    assert row.isna()["seed"] and row.isna()["std"]  # missing is missing, never 0


def test_an_unknown_column_is_refused_not_dropped(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="fidd"):
        records.write(tmp_path, "metrics", "k", [{"key": "k", "fidd": 1.0}])


@pytest.mark.parametrize(
    ("column", "value"), [("value", "1.5"), ("samples", 1.5), ("samples", True), ("clip", 1)]
)
def test_a_value_of_another_type_is_refused(tmp_path: Path, column: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"metrics.{column}"):
        records.write(tmp_path, "metrics", "k", [{"key": "k", "metric": "m", column: value}])


def test_nothing_recorded_reads_as_empty_frames(tmp_path: Path) -> None:
    frames = read_frames(tmp_path / "nowhere")
    assert set(frames) == {"runs", "metrics", "training"}
    assert all(len(f) == 0 for f in frames.values())
    assert "value" in frames["metrics"]


def test_a_damaged_record_is_named_and_its_number_shown_and_written_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(3)]
    records.reconcile(store)
    victim = next((tmp_path / "records" / "metrics").glob(f"{keys[1]}*"))
    victim.write_bytes(victim.read_bytes()[:-20])
    with pytest.warns(CorruptRecord) as told:
        frame = read_frames(tmp_path)["metrics"]
    assert victim.name in str(told[0].message)
    assert sorted(frame["key"]) == keys and recorded(tmp_path) == [keys[0], keys[2]]
    note, again = records.reconcile(store)
    assert victim.name in note and "quarantine" in note
    assert again == "1 record of table 'metrics' was missing: written again"
    assert recorded(tmp_path) == keys


def test_records_alone_name_what_is_damaged_and_show_the_rest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(3)]
    records.reconcile(store)
    shutil.rmtree(tmp_path / "artifacts")
    next((tmp_path / "records" / "metrics").glob(f"{keys[1]}*")).write_bytes(b"")
    with pytest.warns(CorruptRecord, match="does not match its checksum and is left out"):
        assert sorted(read_frames(tmp_path)["metrics"]["key"]) == [keys[0], keys[2]]


def test_a_missing_fragment_is_shown_and_written_from_the_artifact(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = commit(store, 5)
    with pytest.warns(CorruptRecord, match="1 committed stages have no record"):
        assert list(read_frames(tmp_path)["metrics"]["key"]) == [key]  # killed after the commit
    assert recorded(tmp_path) == []
    records.reconcile(store)
    assert recorded(tmp_path) == [key]


def test_reading_verbs_write_what_is_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(3)]
    found = records.read(tmp_path, repair=True)
    assert list(found.frames["metrics"]["key"]) == keys == recorded(tmp_path)
    assert found.notes == ("3 records of table 'metrics' were missing: written again",)
    assert records.read(tmp_path, repair=True).notes == ()


def test_a_folder_that_cannot_be_written_shows_every_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(3)]
    records.reconcile(store)
    next((tmp_path / "records" / "metrics").glob(f"{keys[1]}*")).write_bytes(b"")

    def refuse(operation: str, path: Path) -> None:
        if operation in ("write", "rename", "make folder"):
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "step", refuse)
    found = records.read(tmp_path, repair=True)
    assert list(found.frames["metrics"]["key"]) == keys
    assert any("not written again: cannot write" in note for note in found.notes)


@pytest.mark.parametrize("name", ["k.0.json", "compact.0.parquet"])
def test_a_record_file_that_we_may_not_read_is_left_to_who_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "records" / "metrics" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another user's")

    def refuse(operation: str, path: Path) -> None:
        if operation == "read":
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "step", refuse)
    (note,) = set_aside(Store(tmp_path), {path: "cannot be read (Permission denied)"})
    assert note.endswith("it is left where it is") and path.exists()
    monkeypatch.undo()
    (note,) = set_aside(Store(tmp_path), {path: "cannot be read as JSON"})
    assert "moved to" in note and not path.exists()


def test_a_record_that_only_another_study_uses_is_written_again(tmp_path: Path) -> None:
    """Whoever asks: what is committed is recorded."""
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(2)]
    records.reconcile(store)
    path = next((tmp_path / "records" / "metrics").glob(f"{keys[1]}*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    notes = records.reconcile(store)
    assert len(notes) == 2 and recorded(tmp_path) == keys


def test_an_artifact_whose_rows_are_damaged_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = commit(store, 1)
    record = store.folder("evaluate", key) / "record.json"
    record.write_text(record.read_text().replace("1.5", "7.5"))
    (note,) = records.reconcile(store)
    assert str(record) in note and "does not match its checksum" in note
    assert recorded(tmp_path) == []  # never a wrong number


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    row = {"key": "k" * 64, "metric": "m", "value": 0.1}
    for root in ("a", "b"):
        records.write(tmp_path / root, "metrics", "k" * 64, [row])
    a, b = (next((tmp_path / r / "records" / "metrics").iterdir()) for r in ("a", "b"))
    assert a.name == b.name and a.read_bytes() == b.read_bytes()


def test_an_artifact_without_rows_is_not_read_to_find_that_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An imported checkpoint has none: hashing its gigabytes at every start helps nobody."""
    store = Store(tmp_path)
    key = "a" * 64
    store.commit("train", key, store.staging(key), {}, {}, {"settings": {}})
    monkeypatch.setattr(Store, "open", lambda *_, **__: pytest.fail("read"))
    monkeypatch.setattr(Store, "rows", lambda *_, **__: pytest.fail("read"))
    assert records.reconcile(store) == []


def test_a_folder_in_a_records_place_is_moved_away(tmp_path: Path) -> None:
    place = tmp_path / "records" / "metrics" / "compact.x.parquet"
    place.mkdir(parents=True)
    with pytest.warns(CorruptRecord, match=r"compact\.x\.parquet cannot be read"):
        assert read_frames(tmp_path)["metrics"].empty
    (note,) = records.reconcile(Store(tmp_path))
    assert "moved to" in note and not place.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_frames(tmp_path)["metrics"].empty


def test_a_file_in_the_place_of_a_folder_of_records_is_named(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "metrics").write_text("")
    with pytest.raises(records.UnreadableRecords, match="metrics is not a folder: move it away"):
        read_frames(tmp_path)
