"""Compaction at its limits: when it merges, in which portions, which copy stays, what moves out."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from record_files import put_parquet

from harness.errors import HarnessError
from harness.store import compaction, fragments, records, tables
from harness.store.fragments import UnreadableRecords
from harness.store.records import read_frames


def write(root: Path, *numbers: int, metrics: tuple[str, ...] = ("fid", "is")) -> list[str]:
    keys = [f"{n:064x}" for n in numbers]
    for key in keys:
        rows = [{"key": key, "metric": m, "value": 1.0} for m in metrics]
        records.write(root, "metrics", key, rows)
    return keys


def parquet_files(root: Path) -> list[Path]:
    return sorted((root / "records" / "metrics").glob("*.parquet"))


def shown(root: Path) -> list[tuple[str, str]]:
    """(key, metric) of every row, none of which may be amiss."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = read_frames(root)["metrics"]
    return list(zip(frame["key"], frame["metric"], strict=True))


def both(keys: list[str]) -> list[tuple[str, str]]:
    return [(key, metric) for key in sorted(keys) for metric in ("fid", "is")]


def test_as_many_fragments_as_allowed_are_left_and_one_more_is_merged(tmp_path: Path) -> None:
    keys = write(tmp_path, 1, 2, 3)
    assert records.compact(tmp_path, above=3) == 0
    keys += write(tmp_path, 4)
    assert records.compact(tmp_path, above=3) == 4
    keys += write(tmp_path, 5)
    assert records.compact(tmp_path, above=1) == 0  # one compacted file and one fragment
    records.compact(tmp_path, above=0)
    assert shown(tmp_path) == both(keys)


def test_two_small_compacted_files_are_merged_and_a_full_one_counts_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, numbers in (("a", (1, 2)), ("b", (3, 4))):  # two results folders become one
        write(tmp_path / folder, *numbers)
        records.compact(tmp_path / folder, above=0)
        for path in (tmp_path / folder / "records" / "metrics").iterdir():
            there = tmp_path / "records" / "metrics" / path.name
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
    monkeypatch.setattr(compaction, "FULL", 4)  # rows: both are full
    assert records.compact(tmp_path, above=0) == 0 and len(parquet_files(tmp_path)) == 2
    monkeypatch.setattr(compaction, "FULL", 5)
    assert records.compact(tmp_path, above=0) == 2 and len(parquet_files(tmp_path)) == 1
    assert shown(tmp_path) == both([f"{n:064x}" for n in (1, 2, 3, 4)])


@pytest.mark.slow
def test_a_file_is_written_and_read_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory does not grow with the records: row groups, and batches of fragments, are bounded."""
    monkeypatch.setattr(compaction, "BATCH", 4)
    monkeypatch.setattr(fragments, "BATCH", 4)
    keys = write(tmp_path, *range(11))
    single, _ = fragments.listing(tmp_path, "metrics")
    paths = [path for paths in single.values() for path in paths]
    batches = list(fragments.batches("metrics", paths))
    assert [len(batch.content) for batch in batches] == [4, 4, 4, 4, 4, 2]
    assert [path for batch in batches for path in batch.paths] == paths
    records.compact(tmp_path, above=0)
    (path,) = parquet_files(tmp_path)
    meta = pq.ParquetFile(path).metadata
    assert [meta.row_group(n).num_rows for n in range(meta.num_row_groups)] == [4, 4, 4, 4, 4, 2]
    assert meta.row_group(0).column(0).compression == "ZSTD"
    keys += write(tmp_path, 99)
    records.compact(tmp_path, above=0)  # reads those groups again
    assert shown(tmp_path) == both(keys)


def test_older_parquet_fragments_are_gathered_in_portions_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fragments, "BATCH", 3)
    import pyarrow as pa

    paths = []
    for n in range(4):
        rows = [{"key": f"{n:064x}", "metric": m, "value": 1.0} for m in ("fid", "is")]
        table = pa.Table.from_pylist(rows, schema=records.schema("metrics"))
        paths.append(put_parquet(tmp_path, "metrics", f"{n:064x}", table))
    sizes = [len(batch.content) for batch in fragments.batches("metrics", paths)]
    assert sizes == [4, 4]


@pytest.mark.slow
@pytest.mark.parametrize("fuller", ["fragment", "compacted"])
@pytest.mark.parametrize("full", [True, False])
def test_of_two_copies_the_one_with_more_rows_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fuller: str, full: bool
) -> None:
    """A metric may be missing in one of two measurements of a stage, for want of memory."""
    every, some = ("fid", "is"), ("fid",)
    write(tmp_path, 1, metrics=some if fuller == "fragment" else every)
    write(tmp_path, 2)
    records.compact(tmp_path, above=0)
    if full:  # a file that is not read again
        monkeypatch.setattr(compaction, "FULL", 2)
    write(tmp_path, 1, metrics=every if fuller == "fragment" else some)
    write(tmp_path, 3)
    expected = both([f"{n:064x}" for n in (1, 2, 3)])
    assert shown(tmp_path) == expected
    for _ in range(2):
        records.compact(tmp_path, above=0)
        assert shown(tmp_path) == expected
    left = len(list(tmp_path.rglob("*.json")))
    assert left == (1 if full and fuller == "fragment" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("full", [True, False])
def test_of_two_copies_no_metric_that_only_one_has_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    (key,) = write(tmp_path, 1, metrics=("fid", "is"))
    write(tmp_path, 2)
    records.compact(tmp_path, above=0)
    if full:  # a file that is not read again
        monkeypatch.setattr(compaction, "FULL", 2)
    write(tmp_path, 1, metrics=("fid", "kid"))
    write(tmp_path, 3)
    expected = sorted([*both([f"{n:064x}" for n in (1, 2, 3)]), (key, "kid")])
    for _ in range(3):
        assert shown(tmp_path) == expected
        records.compact(tmp_path, above=0)
    assert len(list(tmp_path.rglob("*.json"))) == full


def test_a_damaged_copy_hides_none_of_the_sound_ones(tmp_path: Path) -> None:
    keys = write(tmp_path, 1, 2)
    records.compact(tmp_path, above=0)
    write(tmp_path, 1)
    (sound,) = (tmp_path / "records" / "metrics").glob(f"{keys[0]}.*")
    damaged = sound.with_name(f"{keys[0]}.0000000000000000.json")  # before the sound one
    damaged.write_bytes(b"{}")
    keys += write(tmp_path, 3)
    records.compact(tmp_path, above=0)
    assert damaged.exists() and not sound.exists()
    damaged.unlink()
    assert shown(tmp_path) == both(keys)


def newer(monkeypatch: pytest.MonkeyPatch, root: Path, *numbers: int) -> list[str]:
    with monkeypatch.context() as later:
        later.setattr(tables, "VERSION", tables.VERSION + 1)
        keys = write(root, *numbers)
        records.compact(root, above=0)
    return keys


def test_what_a_newer_version_compacted_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer(monkeypatch, tmp_path, 1, 2)
    before = parquet_files(tmp_path)
    write(tmp_path, 3, 4)
    assert records.compact(tmp_path, above=0) == 0
    assert parquet_files(tmp_path) == before
    assert len(list(tmp_path.rglob("*.json"))) == 2


@pytest.mark.slow
@pytest.mark.parametrize("taken", [True, False])
def test_a_compaction_that_fails_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    keys = write(tmp_path, 1, 2)
    if taken:
        records.compact(tmp_path, above=0)

    def full(*_: Any) -> None:
        raise HarnessError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(compaction.files, "publish", full)
        with pytest.raises(HarnessError, match="the disk is full"):
            if taken:
                compaction.take_out(tmp_path, keys[:1], tmp_path / "away")
            else:
                records.compact(tmp_path, above=0)
    assert not list((tmp_path / "records" / "metrics").glob("_*"))
    assert shown(tmp_path) == both(keys)


# --- taking rows out ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("compacted", [True, False])
def test_rows_that_are_taken_out_lie_in_the_other_folder_and_no_longer_here(
    tmp_path: Path, compacted: bool
) -> None:
    here, away = tmp_path / "here", tmp_path / "away"
    keys = write(here, 1, 2, 3, 4)
    if compacted:
        records.compact(here, above=0)
    compaction.take_out(here, [keys[1], keys[3], "f" * 64], away)
    assert shown(here) == both([keys[0], keys[2]])
    assert shown(away) == both([keys[1], keys[3]])
    assert records.scan(here, "metrics").keys == {keys[0], keys[2]}
    assert not list((here / "records" / "metrics").glob("_*"))


def test_a_file_that_holds_none_of_the_keys_is_not_written_again(tmp_path: Path) -> None:
    keys = write(tmp_path, 1, 2)
    records.compact(tmp_path, above=0)
    (path,) = parquet_files(tmp_path)
    inode = path.stat().st_ino
    compaction.take_out(tmp_path, ["f" * 64], tmp_path / "away")
    assert parquet_files(tmp_path) == [path] and path.stat().st_ino == inode
    assert not (tmp_path / "away" / "records").exists()
    compaction.take_out(tmp_path, keys, tmp_path / "away")  # all of a file: it goes
    assert parquet_files(tmp_path) == [] and shown(tmp_path / "away") == both(keys)


def test_nothing_is_taken_out_of_a_damaged_file(tmp_path: Path) -> None:
    keys = write(tmp_path, 1, 2)
    records.compact(tmp_path, above=0)
    (path,) = parquet_files(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableRecords, match="moves it away; then again"):
        compaction.take_out(tmp_path, keys, tmp_path / "away")
    assert path.exists() and not list(tmp_path.glob("away/**/*.json"))


# --- the files themselves -------------------------------------------------------------------------


def test_a_fragments_bytes_are_these() -> None:
    """Its name is their digest: other bytes for the same rows would be a second record of them."""
    rows = [{"key": "k", "metric": "is", "value": 2.5}, {"key": "k", "metric": "fid", "value": 1}]
    from harness.version import __version__

    assert fragments.encode("metrics", rows).decode() == (
        f'{{"harness":"{__version__}","version":{tables.VERSION},"rows":2,'
        '"columns":{"key":"k","metric":["fid","is"],"value":[1,2.5]}}'
    )


def test_a_newer_record_that_does_not_say_whose_it_is_is_a_newer_harnesss() -> None:
    data = f'{{"version": {tables.VERSION + 1}, "rows": 1, "columns": {{"key": "a"}}}}'.encode()
    with pytest.raises(UnreadableRecords, match=r"^x was written by a newer harness \(a newer"):
        fragments.decode(data, Path("x"))


def test_the_schema_says_which_table_and_version_it_is_of() -> None:
    from harness.version import __version__

    about = {"table": "metrics", "version": str(tables.VERSION), "harness": __version__}
    assert records.schema("metrics").metadata == {
        name.encode(): value.encode() for name, value in about.items()
    }


def test_names_that_begin_with_an_underscore_are_no_records(tmp_path: Path) -> None:
    keys = write(tmp_path, 1)
    folder = tmp_path / "records" / "metrics"
    (folder / "_half.0123456789abcdef.json").write_bytes(b"{}")
    (folder / "_compact.0123456789abcdef.parquet").write_bytes(b"")
    single, compact = fragments.listing(tmp_path, "metrics")
    assert list(single) == keys and compact == []


def test_a_compacted_files_keys_are_read_without_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = write(tmp_path, 1, 2)
    records.compact(tmp_path, above=0)
    monkeypatch.setattr(fragments, "keys_in", lambda path: pytest.fail("the list was not read"))
    assert records.scan(tmp_path, "metrics").compact == {parquet_files(tmp_path)[0]: set(keys)}


def test_a_file_that_cannot_be_read_ends_the_reading_with_its_name() -> None:
    def read() -> None:
        raise PermissionError(13, "Permission denied", "records/metrics")

    with pytest.raises(UnreadableRecords, match=r"^cannot read records/metrics: Permission denied"):
        fragments.whole(read, "metrics")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["compact", "f" * 64])
def test_bytes_that_fit_their_name_and_are_no_parquet_are_damaged(
    tmp_path: Path, name: str
) -> None:
    keys = write(tmp_path, 1, 2)
    garbage = b"PAR1 and no more"
    digest = hashlib.sha256(garbage).hexdigest()[:16]
    path = tmp_path / "records" / "metrics" / f"{name}.{digest}.parquet"
    path.write_bytes(garbage)
    for _ in range(2):
        with pytest.warns(records.CorruptRecord, match=f"{path.name} cannot be read"):
            frame = read_frames(tmp_path)["metrics"]
        assert sorted(set(frame["key"])) == keys
        records.compact(tmp_path, above=0)
        assert path.exists()
