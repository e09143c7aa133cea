"""Compaction: every row once, before, while and after; little memory; nothing lost by damage."""

from __future__ import annotations

import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from record_files import put_parquet

from harness.store import Store, compaction, fragments, records, tables
from harness.store.records import read_frames


def write(root: Path, *numbers: int, value: float = 1.0) -> list[str]:
    keys = [f"{n:064x}" for n in numbers]
    for key in keys:
        rows = [{"key": key, "metric": m, "value": value} for m in ("fid", "is")]
        records.write(root, "metrics", key, rows)
    return keys


def parquet_files(root: Path) -> list[Path]:
    return sorted((root / "records" / "metrics").glob("*.parquet"))


def recorded(root: Path) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = read_frames(root)["metrics"]
    assert not frame.duplicated(["key", "metric"]).any()
    return sorted(frame["key"].unique())


@pytest.mark.slow
def test_compaction_keeps_every_row_once(tmp_path: Path) -> None:
    keys = write(tmp_path, *range(12))
    before = read_frames(tmp_path)["metrics"]
    assert records.compact(tmp_path, above=20) == 0
    assert records.compact(tmp_path, above=5) == 12
    assert len(parquet_files(tmp_path)) == 1 and not list(tmp_path.rglob("*.json"))
    assert read_frames(tmp_path)["metrics"].equals(before)
    keys += write(tmp_path, 99)
    records.compact(tmp_path, above=0)
    assert len(parquet_files(tmp_path)) == 1
    assert recorded(tmp_path) == sorted(keys) == sorted(records.scan(tmp_path, "metrics").keys)
    lists = (tmp_path / "records" / "metrics").glob("*.keys")
    assert [path.with_suffix(".parquet") for path in lists] == parquet_files(tmp_path)
    assert records.compact(tmp_path, above=0) == 0


def test_what_is_compacted_is_plain_parquet_with_the_whole_schema(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    records.compact(tmp_path, above=0)
    (path,) = parquet_files(tmp_path)
    schema = pq.read_schema(path)
    assert schema.names == [c.name for c in tables.METRICS]
    assert schema.metadata[b"version"] == str(tables.VERSION).encode()
    assert pq.read_table(path)["value"].to_pylist() == [1.0] * 4


def test_older_parquet_fragments_are_compacted_as_well(tmp_path: Path) -> None:
    keys = write(tmp_path, 1, 2)
    rows = [{"key": "f" * 64, "metric": "fid", "value": 3.0}]
    old = pa.Table.from_pylist(rows, schema=records.schema("metrics")).drop_columns(["clip"])
    put_parquet(tmp_path, "metrics", "f" * 64, old)
    records.compact(tmp_path, above=0)
    assert len(parquet_files(tmp_path)) == 1 and recorded(tmp_path) == [*keys, "f" * 64]


@pytest.mark.slow
def test_a_crash_before_the_clean_up_repeats_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = write(tmp_path, *range(8))

    class Killed(BaseException):
        pass

    def kill(operation: str, path: Path) -> None:
        if operation == "delete":
            raise Killed

    monkeypatch.setattr(compaction.files, "step", kill)
    with pytest.raises(Killed):
        records.compact(tmp_path, above=2)
    monkeypatch.undo()
    assert len(parquet_files(tmp_path)) == 1 and len(list(tmp_path.rglob("*.json"))) == 8
    assert recorded(tmp_path) == keys
    records.compact(tmp_path, above=2)
    assert len(parquet_files(tmp_path)) == 1 and not list(tmp_path.rglob("*.json"))
    assert recorded(tmp_path) == keys


@pytest.mark.slow
def test_files_that_are_full_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "FULL", 8)  # rows: four keys
    monkeypatch.setattr(fragments, "BATCH", 4)
    keys = write(tmp_path, *range(10))
    records.compact(tmp_path, above=0)
    full = parquet_files(tmp_path)
    sizes = sorted(pq.read_metadata(path).num_rows for path in full)
    assert sizes == [4, 8, 8] and recorded(tmp_path) == keys
    keys += write(tmp_path, *range(20, 23))
    records.compact(tmp_path, above=0)
    kept = [path for path in full if path.exists()]
    assert len(kept) == 2 and recorded(tmp_path) == keys
    again = write(tmp_path, 0)  # what a full file holds already
    assert records.compact(tmp_path, above=0) == 1 and again[0] in keys
    assert recorded(tmp_path) == keys and not list(tmp_path.rglob("*.json"))


def test_damaged_files_are_left_for_reconcile_and_lose_nothing_else(tmp_path: Path) -> None:
    keys = write(tmp_path, *range(6))
    victim = next((tmp_path / "records" / "metrics").glob(f"{keys[2]}*"))
    victim.write_bytes(b"{}")
    records.compact(tmp_path, above=0)
    assert victim.exists()
    (path,) = parquet_files(tmp_path)
    assert records.scan(tmp_path, "metrics").keys == {*keys} - {keys[2]}
    path.write_bytes(path.read_bytes()[:-100])
    more = write(tmp_path, 7, 8)
    records.compact(tmp_path, above=0)
    assert path.exists() and records.scan(tmp_path, "metrics").keys == set(more)


@pytest.mark.slow
def test_a_damaged_compact_file_is_restored_from_the_artifacts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [f"{n:064x}" for n in range(6)]
    for key in keys:
        rows = {"metrics": [{"key": key, "metric": "fid", "value": 1.0}]}
        store.commit("evaluate", key, store.staging(key), rows, {}, {"settings": {}})
    records.reconcile(store)
    records.compact(tmp_path, above=2)
    (path,) = parquet_files(tmp_path)
    path.write_bytes(b"garbage")
    assert any("moved to" in note for note in records.reconcile(store))
    assert recorded(tmp_path) == keys


@pytest.mark.slow
def test_what_contradicts_itself_stays_apart_for_the_reader_to_see(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    records.compact(tmp_path, above=0)
    write(tmp_path, 1, 3, value=9.0)
    for _ in range(2):
        records.compact(tmp_path, above=0)
        either = r"contradict each other.*value is (1 in one and 9|9 in one and 1) "
        with pytest.warns(records.CorruptRecord, match=either):
            frame = read_frames(tmp_path)["metrics"]
        assert sorted(frame["key"].unique()) == [f"{n:064x}" for n in (2, 3)]
    assert len(list(tmp_path.rglob("*.json"))) == 2 and len(parquet_files(tmp_path)) == 1


@pytest.mark.slow
def test_records_compacted_while_they_are_read_are_all_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that has listed the folder must not take the files that are left for all."""
    keys = write(tmp_path, *range(8))
    real, calls = fragments.checked, []

    def checked(path: Path) -> bytes:
        calls.append(path)
        if len(calls) == 4:
            monkeypatch.setattr(fragments, "checked", real)
            records.compact(tmp_path, above=2)
        return real(path)

    monkeypatch.setattr(fragments, "checked", checked)
    assert records.scan(tmp_path, "metrics").keys == set(keys)

    keys += write(tmp_path, *range(20, 28))
    calls.clear()
    monkeypatch.setattr(fragments, "checked", checked)
    assert recorded(tmp_path) == sorted(keys)
    assert len(calls) == 4


def test_leftovers_of_a_killed_compaction_are_swept_when_old(tmp_path: Path) -> None:
    import os
    import time

    write(tmp_path, 1, 2)
    folder = tmp_path / "records" / "metrics"
    old, new = folder / "_compact.aaaa", folder / "_compact.bbbb"
    for path in (old, new):
        path.write_bytes(b"PAR1")
    long_ago = time.time() - 2 * compaction.DAY
    os.utime(old, (long_ago, long_ago))
    records.compact(tmp_path, above=0)
    assert not old.exists() and new.exists()
