"""One table's records, every key once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.store import compaction, fragments, loading, tables
from harness.store.fragments import UnreadableRecords
from harness.store.reconciling import write


def put(root: Path, letter: str, value: float) -> Path:
    key = letter * 64
    row = {"key": key, "metric": "fd", "value": value, "of": "samples"}
    return write(root, "metrics", key, [row])


def values(found: loading.Loaded) -> list[tuple[str, float]]:
    rows = found.content.select(["key", "value"]).to_pylist()
    return [(row["key"][0], row["value"]) for row in rows]


def test_rows_come_sorted_from_fragments_and_compacted_files(tmp_path: Path) -> None:
    put(tmp_path, "c", 3.0)
    put(tmp_path, "a", 1.0)
    compaction.compact(tmp_path)
    put(tmp_path, "b", 2.0)
    found = loading.load(tmp_path, "metrics")
    assert values(found) == [("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert not found.corrupt and not found.conflicts


def test_a_copy_is_dropped_and_a_contradiction_is_left_out_and_named(tmp_path: Path) -> None:
    put(tmp_path, "a", 1.0)
    put(tmp_path, "b", 5.0)
    compaction.compact(tmp_path)
    put(tmp_path, "a", 1.0)  # a copy
    put(tmp_path, "b", 6.0)  # another value under the same key
    found = loading.load(tmp_path, "metrics")
    assert values(found) == [("a", 1.0)]
    (conflict,) = found.conflicts
    assert conflict.key == "b" * 64


def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    put(tmp_path, "a", 1.0)
    bad = put(tmp_path, "b", 2.0)
    bad.write_bytes(bad.read_bytes()[:-20])
    found = loading.load(tmp_path, "metrics")
    assert values(found) == [("a", 1.0)] and list(found.corrupt) == [bad]


def test_nothing_is_an_empty_table_with_every_column(tmp_path: Path) -> None:
    for table, columns in tables.TABLES.items():
        found = loading.load(tmp_path, table)
        assert found.content.column_names == [c.name for c in columns]
        assert len(found.content) == 0


def test_a_file_that_is_compacted_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a", 1.0)
    listing, times = fragments.listing, [0]

    def meanwhile(root: Path, table: str) -> object:
        found = listing(root, table)
        times[0] += 1
        if times[0] == 1:
            shutil.rmtree(fragments.folder(root, table))
            put(tmp_path, "a", 1.0)
            put(tmp_path, "b", 2.0)
        return found

    monkeypatch.setattr(fragments, "listing", meanwhile)
    assert ("a", 1.0) in values(loading.load(tmp_path, "metrics"))


def test_records_of_a_newer_version_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(tables, "VERSION", tables.VERSION + 1)
        put(tmp_path, "a", 1.0)
    with pytest.raises(UnreadableRecords, match="newer"):
        loading.load(tmp_path, "metrics")
