"""Records: one explicit schema, every key once, damage named and repaired."""

from __future__ import annotations

import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.store import Store, records, tables
from harness.store.records import CorruptRecord, read_frames


def commit(store: Store, number: int, value: float | None = 1.5) -> str:
    """An evaluate artifact with one metrics row."""
    key = f"{number:064x}"
    row = {"key": key, "metric": "fd_x", "value": value, "samples": 10, "guidance_scale": 1.0}
    staging = store.staging(key)
    store.commit("evaluate", key, staging, {"metrics": [row]}, {}, {"settings": {}})
    return key


def test_a_stages_rows_come_back_with_their_types(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = commit(store, 1)
    records.reconcile_one(store, "evaluate", key)
    frame = read_frames(tmp_path)["metrics"]
    assert list(frame.columns) == [c.name for c in tables.METRICS]
    row = frame.iloc[0]
    assert (row["key"], row["value"], row["samples"]) == (key, 1.5, 10)
    assert row.isna()["seed"] and row.isna()["std"]  # missing is missing, never 0


def test_every_fragment_has_the_whole_schema_and_its_version(tmp_path: Path) -> None:
    records.write(tmp_path, "metrics", "k" * 64, [{"key": "k" * 64, "metric": "m"}])
    (path,) = (tmp_path / "records" / "metrics").iterdir()
    schema = pq.read_schema(path)
    assert schema.names == [c.name for c in tables.METRICS]
    assert schema.metadata[b"version"] == str(tables.VERSION).encode()


def test_an_unknown_column_is_refused_not_dropped(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="fidd"):
        records.write(tmp_path, "metrics", "k", [{"key": "k", "fidd": 1.0}])


def test_nothing_recorded_reads_as_empty_frames(tmp_path: Path) -> None:
    frames = read_frames(tmp_path / "nowhere")
    assert set(frames) == {"runs", "metrics", "training"}
    assert all(len(f) == 0 for f in frames.values())
    assert "value" in frames["metrics"]


def test_older_fragments_without_new_columns_read_as_null(tmp_path: Path) -> None:
    records.write(tmp_path, "metrics", "k" * 64, [{"key": "k" * 64, "metric": "m", "value": 2.0}])
    (path,) = (tmp_path / "records" / "metrics").iterdir()
    table = pq.read_table(path).drop_columns(["k", "committed"])
    path.unlink()
    records._write(tmp_path, "metrics", "k" * 64, table)
    frame = read_frames(tmp_path)["metrics"]
    assert frame.iloc[0]["value"] == 2.0 and frame["k"].isna().all()


def test_a_damaged_record_is_named_left_out_and_written_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(3)]
    done = dict.fromkeys(keys, "evaluate")
    assert records.reconcile(store, done) == []
    victim = next((tmp_path / "records" / "metrics").glob(f"{keys[1]}*"))
    victim.write_bytes(victim.read_bytes()[:-20])
    with pytest.warns(CorruptRecord, match=victim.name):
        frame = read_frames(tmp_path)["metrics"]
    assert sorted(frame["key"]) == [keys[0], keys[2]]
    (note,) = records.reconcile(store, done)
    assert victim.name in note and "quarantine" in note
    assert sorted(read_frames(tmp_path)["metrics"]["key"]) == sorted(keys)


def test_a_missing_fragment_is_written_from_the_artifact(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = commit(store, 5)
    assert read_frames(tmp_path)["metrics"].empty  # killed between commit and record
    records.reconcile(store, {key: "evaluate"})
    assert list(read_frames(tmp_path)["metrics"]["key"]) == [key]


def test_compaction_keeps_every_row_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(12)]
    done = dict.fromkeys(keys, "evaluate")
    records.reconcile(store, done)
    before = read_frames(tmp_path)["metrics"]
    records.compact(tmp_path, above=5)
    folder = tmp_path / "records" / "metrics"
    assert len(list(folder.glob("*.parquet"))) == 1
    assert read_frames(tmp_path)["metrics"].equals(before)
    assert records.reconcile(store, done) == []  # nothing seems missing
    assert len(list(folder.glob("*.parquet"))) == 1
    late = commit(store, 99)
    records.reconcile(store, {**done, late: "evaluate"})
    records.compact(tmp_path, above=0)
    assert len(list(folder.glob("*.parquet"))) == 1
    assert sorted(read_frames(tmp_path)["metrics"]["key"]) == sorted([*keys, late])


def test_a_crash_between_compaction_and_clean_up_repeats_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(8)]
    records.reconcile(store, dict.fromkeys(keys, "evaluate"))

    class Killed(BaseException):
        pass

    def kill(operation: str, path: Path) -> None:
        if operation == "delete":
            raise Killed

    monkeypatch.setattr(records.files, "step", kill)
    with pytest.raises(Killed):
        records.compact(tmp_path, above=2)
    assert len(list((tmp_path / "records" / "metrics").glob("*.parquet"))) == 9
    assert sorted(read_frames(tmp_path)["metrics"]["key"]) == sorted(keys)


def test_a_damaged_compact_file_is_restored_from_the_artifacts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(6)]
    done = dict.fromkeys(keys, "evaluate")
    records.reconcile(store, done)
    records.compact(tmp_path, above=2)
    (path,) = (tmp_path / "records" / "metrics").glob("compact*.parquet")
    path.write_bytes(b"garbage")
    assert records.reconcile(store, done)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sorted(read_frames(tmp_path)["metrics"]["key"]) == sorted(keys)


def test_leftovers_of_a_killed_write_break_nothing(tmp_path: Path) -> None:
    records.write(tmp_path, "metrics", "k" * 64, [{"key": "k" * 64, "metric": "m"}])
    folder = tmp_path / "records" / "metrics"
    (folder / "_half.parquet.1234").write_bytes(b"PAR1")
    (folder / "x.parquet.tmp").write_bytes(b"PAR1")
    assert len(read_frames(tmp_path)["metrics"]) == 1


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    row = {"key": "k" * 64, "metric": "m", "value": 0.1}
    for root in ("a", "b"):
        records.write(tmp_path / root, "metrics", "k" * 64, [row])
    a, b = (next((tmp_path / r / "records" / "metrics").iterdir()) for r in ("a", "b"))
    assert a.name == b.name and a.read_bytes() == b.read_bytes()


def test_records_compacted_while_they_are_read_are_all_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that has listed the folder must not take the files that are left for all."""
    store = Store(tmp_path)
    keys = [commit(store, n) for n in range(8)]
    records.reconcile(store, dict.fromkeys(keys, "evaluate"))
    real, calls = records.files.sha256, []

    def checksum(path: Path) -> str:
        calls.append(path)
        if len(calls) == 4:
            monkeypatch.setattr(records.files, "sha256", real)
            records.compact(tmp_path, above=2)
        return real(path)

    monkeypatch.setattr(records.files, "sha256", checksum)
    assert records.scan(tmp_path, "metrics").keys == set(keys)

    late = [commit(store, n) for n in range(20, 28)]
    records.reconcile(store, dict.fromkeys(late, "evaluate"))
    loaded = records._load

    def load(table: str, paths: list[Path]) -> object:
        if table == "metrics":
            monkeypatch.setattr(records, "_load", loaded)
            records.compact(tmp_path, above=2)  # between listing and reading
        return loaded(table, paths)

    monkeypatch.setattr(records, "_load", load)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(read_frames(tmp_path)["metrics"]["key"]) == {*keys, *late}


def test_a_reader_gives_up_with_words_where_files_go_on_vanishing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    key = commit(store, 1)
    records.reconcile(store, {key: "evaluate"})
    monkeypatch.setattr(records.time, "sleep", lambda _: None)

    def gone(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(records.files, "sha256", gone)
    with pytest.raises(records.UnreadableRecords, match="try again"):
        read_frames(tmp_path)


def test_an_artifact_without_rows_is_not_read_to_find_that_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An imported checkpoint has none: hashing its gigabytes at every start helps nobody."""
    store = Store(tmp_path)
    key = "a" * 64
    store.commit("train", key, store.staging(key), {}, {}, {"settings": {}})
    monkeypatch.setattr(Store, "open", lambda *_, **__: pytest.fail("read"))
    assert records.reconcile(store, {key: "train"}) == []


def test_a_record_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "records" / "metrics" / "compact.x.parquet").mkdir(parents=True)
    with pytest.raises(records.UnreadableRecords, match=r"compact\.x\.parquet: Is a directory"):
        read_frames(tmp_path)
