"""One table's records, every key once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from record_files import put_parquet

from harness.store import compaction, fragments, frames, loading, tables
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


def test_every_damaged_file_is_named(tmp_path: Path) -> None:
    """A compacted one, two of one key, and one that is alone."""
    put(tmp_path, "a", 1.0)
    compaction.compact(tmp_path, above=0)
    bad = [*(tmp_path / "records" / "metrics").glob("*.parquet")]
    bad += [put(tmp_path, letter, value) for letter, value in (("b", 1.0), ("b", 2.0), ("c", 3.0))]
    put(tmp_path, "d", 4.0)
    for path in bad:
        path.write_bytes(path.read_bytes()[:-20])
    found = loading.load(tmp_path, "metrics")
    assert values(found) == [("d", 4.0)] and set(found.corrupt) == set(bad)


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


@pytest.mark.parametrize("compacted", [True, False])
def test_records_of_a_newer_version_are_named_and_none_of_their_rows_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compacted: bool
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(tables, "VERSION", tables.VERSION + 1)
        put(tmp_path, "a", 1.0)
        if compacted:
            compaction.compact(tmp_path, above=0)
    put(tmp_path, "b", 2.0)
    found = loading.load(tmp_path, "metrics")
    assert values(found) == [("b", 2.0)] and not found.corrupt
    ((path, one),) = found.newer.items()
    assert one.keys == {"a" * 64} and str(path) in one.said and "a newer harness" in one.said


def test_a_newer_version_that_does_not_tell_its_keys_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = fragments.schema("metrics").empty_table().drop_columns(["key"])
    about = {"version": str(tables.VERSION + 1), "harness": "9.9.9"}
    put_parquet(tmp_path, "metrics", "compact", content.replace_schema_metadata(about))
    with pytest.raises(UnreadableRecords, match=r"harness 9\.9\.9"):
        loading.load(tmp_path, "metrics")


@pytest.mark.parametrize("fuller_first", [True, False])
@pytest.mark.parametrize("compacted", [True, False])
def test_of_two_copies_the_fuller_is_kept(
    tmp_path: Path, fuller_first: bool, compacted: bool
) -> None:
    key = "a" * 64
    every = [{"key": key, "metric": m, "value": 1.0} for m in ("fd", "is")]
    first, second = (every, every[:1]) if fuller_first else (every[:1], every)
    write(tmp_path, "metrics", key, first)
    put(tmp_path, "b", 2.0)
    if compacted:
        compaction.compact(tmp_path, above=0)
    write(tmp_path, "metrics", key, second)
    found = loading.load(tmp_path, "metrics")
    assert values(found) == [("a", 1.0), ("a", 1.0), ("b", 2.0)]
    assert not found.conflicts and not found.corrupt


def test_of_copies_that_have_different_metrics_every_metric_is_read(tmp_path: Path) -> None:
    """One machine had no memory for one metric, the other none for the other."""
    key = "a" * 64
    for metrics in (["fd", "is"], ["fd", "kid"], ["vendi"]):
        rows = [{"key": key, "metric": m, "value": 1.0, "model": "m"} for m in metrics]
        write(tmp_path, "metrics", key, rows)
    put(tmp_path, "b", 2.0)
    for _ in range(2):
        found = loading.load(tmp_path, "metrics")
        assert not found.conflicts and not found.corrupt
        metrics = found.content["metric"].to_pylist()
        assert metrics == ["fd", "is", "kid", "vendi", "fd"]
        assert found.content["model"].to_pylist() == ["m"] * 4 + [None]
        compaction.compact(tmp_path, above=0)
    assert not list(tmp_path.rglob("*.json"))


def test_two_that_contradict_each_other_are_named_where_the_fullest_says_nothing_of_it(
    tmp_path: Path,
) -> None:
    key = "a" * 64
    full = [{"key": key, "metric": m, "value": 1.0} for m in ("is", "kid")]
    write(tmp_path, "metrics", key, full)
    paths = {put(tmp_path, "a", value) for value in (1.0, 3.0)}
    (conflict,) = loading.load(tmp_path, "metrics").conflicts
    assert set(conflict.files) == paths
    compaction.compact(tmp_path, above=0)
    assert set(loading.load(tmp_path, "metrics").conflicts[0].files) == paths


def test_of_three_records_that_disagree_none_is_left_and_each_file_is_named_once(
    tmp_path: Path,
) -> None:
    paths = [put(tmp_path, "a", value) for value in (1.0, 1.0000001, 3.0)]
    put(tmp_path, "b", 2.0)
    found = loading.load(tmp_path, "metrics")
    assert values(found) == [("b", 2.0)]
    (conflict,) = found.conflicts
    assert set(conflict.files) < set(paths) and len(set(conflict.files)) == 2
    compaction.compact(tmp_path, above=0)  # the files of one key stay apart
    assert loading.load(tmp_path, "metrics").conflicts[0].key == "a" * 64


def test_a_contradiction_names_the_compacted_file_and_the_fragment(tmp_path: Path) -> None:
    put(tmp_path, "a", 1.0)
    compaction.compact(tmp_path, above=0)
    (compacted,) = (tmp_path / "records" / "metrics").glob("*.parquet")
    other = put(tmp_path, "a", 3.0)
    put(tmp_path, "b", 2.0)
    (conflict,) = loading.load(tmp_path, "metrics").conflicts
    assert set(conflict.files) == {compacted, other}


def test_a_damaged_copy_is_named_and_the_sound_one_shown(tmp_path: Path) -> None:
    sound = put(tmp_path, "a", 1.0)
    damaged = sound.with_name(sound.name.replace(sound.name.split(".")[1], "0" * 16))
    damaged.write_bytes(sound.read_bytes())
    found = loading.load(tmp_path, "metrics")
    assert values(found) == [("a", 1.0)]
    assert found.corrupt == {damaged: "does not match its checksum"}


@pytest.mark.parametrize(
    ("metrics", "left"),
    [
        (["fd", "fd"], ["fd"]),
        (["fd", "fd", "is"], ["fd", "is"]),
        (["fd", "is", "is"], ["fd", "is"]),
        (["fd", "is"], ["fd", "is"]),
        ([None, None, "fd"], ["fd", None, None]),  # of unknown identity: both stay
        (["fd", "fd", None, None], ["fd", None, None]),
    ],
)
def test_a_row_that_stands_twice_in_one_file_is_read_once(
    tmp_path: Path, metrics: list[str | None], left: list[str | None]
) -> None:
    rows = [{"key": "a" * 64, "metric": m, "value": 1.0} for m in metrics]
    content = pa.Table.from_pylist(rows, schema=fragments.schema("metrics"))
    put_parquet(tmp_path, "metrics", "a" * 64, content)
    found = loading.load(tmp_path, "metrics")
    assert found.content["metric"].to_pylist() == left


def test_the_same_metric_of_two_stages_is_two_rows(tmp_path: Path) -> None:
    for letter in "ab":
        put(tmp_path, letter, 1.0)
    compaction.compact(tmp_path, above=0)
    assert values(loading.load(tmp_path, "metrics")) == [("a", 1.0), ("b", 1.0)]


@pytest.mark.slow
def test_texts_that_repeat_are_held_once_and_read_as_they_are(tmp_path: Path) -> None:
    count = 60
    for i in range(count):
        row = {"key": f"{i:064x}", "metric": "fd", "value": float(i), "of": "samples"}
        row |= {"model": ("DiT-S/2" if i % 2 else "DiT-B/2"), "recipe": "{}" if i % 3 else None}
        write(tmp_path, "metrics", row["key"], [row | {"measured_with": "a text " * 50}])
        if i == count // 2:
            compaction.compact(tmp_path)
    content = loading.load(tmp_path, "metrics").content
    assert pa.types.is_dictionary(content.schema.field("model").type)
    assert content["measured_with"].nbytes < 20 * count < len("a text " * 50) * count
    frame = frames.read(tmp_path).frames["metrics"]
    assert frame["model"].dtype == frame["key"].dtype == "string"
    assert frame["model"].tolist() == ["DiT-S/2" if i % 2 else "DiT-B/2" for i in range(count)]
    assert frame["recipe"].isna().tolist() == [i % 3 == 0 for i in range(count)]
