"""Records made complete from what is committed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from committed import commit
from record_files import put_parquet

from harness.errors import HarnessError
from harness.store import compaction, files, fragments, loading, reconciling
from harness.store.artifacts import Store


def evaluation(store: Store, letter: str, value: float = 1.0) -> str:
    return commit(store, "evaluate", letter, {"metrics": [measured(letter, "fd", value)]})


def measured(letter: str, metric: str, value: float) -> dict[str, object]:
    return {"key": letter * 64, "metric": metric, "value": value, "of": "samples"}


def recorded(store: Store) -> list[str]:
    return [k[0] for k in loading.load(store.root, "metrics").content["key"].to_pylist()]


def test_whatever_is_committed_is_recorded_whoever_asks(tmp_path: Path) -> None:
    store = Store(tmp_path)
    evaluation(store, "a")
    evaluation(store, "b")
    assert recorded(store) == []
    reconciling.reconcile(store)
    assert recorded(store) == ["a", "b"]
    before = sorted(fragments.folder(tmp_path, "metrics").iterdir())
    assert reconciling.reconcile(store) == []
    assert sorted(fragments.folder(tmp_path, "metrics").iterdir()) == before


def test_a_damaged_record_is_moved_away_and_written_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    evaluation(store, "a")
    reconciling.reconcile(store)
    (file,) = fragments.folder(tmp_path, "metrics").iterdir()
    file.write_bytes(b"{")
    note, again = reconciling.reconcile(store)
    assert str(file) in note and "moved to" in note
    assert again == "1 record of table 'metrics' was missing: written again"
    assert (tmp_path / "quarantine" / file.name).read_bytes() == b"{"
    assert recorded(store) == ["a"]


def test_keys_are_asked_for_only_where_something_is_committed(tmp_path: Path) -> None:
    def never() -> set[str]:
        raise AssertionError("asked")

    assert not reconciling.unrecorded(Store(tmp_path), "metrics", never).rows


def test_an_artifact_that_cannot_tell_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = evaluation(store, "a")
    (store.folder("evaluate", key) / "record.json").write_bytes(b"[")
    found = reconciling.unrecorded(store, "metrics", set())
    assert not found.rows
    assert "the `run` command of its study makes it again" in found.unreadable[0]


def test_one_stages_records_are_written_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = evaluation(store, "a")
    for _ in range(2):
        reconciling.reconcile_one(store, "evaluate", key)
    (path,) = fragments.folder(tmp_path, "metrics").iterdir()
    written = path.stat().st_ino
    reconciling.reconcile_one(store, "evaluate", key)
    assert path.stat().st_ino == written  # it was not even written again
    path.unlink()
    content = pa.Table.from_pylist([measured("a", "fd", 1.0)], schema=fragments.schema("metrics"))
    put_parquet(tmp_path, "metrics", key, content)  # as versions until 4 wrote them
    reconciling.reconcile_one(store, "evaluate", key)
    assert [p.suffix for p in path.parent.iterdir()] == [".parquet"]


@pytest.mark.parametrize("compacted", [True, False])
def test_a_stage_is_recorded_beside_the_record_of_another_folder(
    tmp_path: Path, compacted: bool
) -> None:
    """That one came without artifacts, and lacks a metric or says another number."""
    store = Store(tmp_path)
    rows = {letter: [measured(letter, "fd", 1.0)] for letter in "abc"}
    for letter, given in rows.items():
        reconciling.write(tmp_path, "metrics", letter * 64, given)
    if compacted:
        compaction.compact(tmp_path, above=0)
    ours = {
        "a": rows["a"],
        "b": [*rows["b"], measured("b", "is", 5.0)],
        "c": [measured("c", "fd", 9.0)],
    }
    for letter, given in ours.items():
        commit(store, "evaluate", letter, {"metrics": given})
        reconciling.reconcile_one(store, "evaluate", letter * 64)
    found = loading.load(tmp_path, "metrics")
    shown = zip(found.content["key"].to_pylist(), found.content["metric"].to_pylist(), strict=True)
    assert [(key[0], metric) for key, metric in shown] == [("a", "fd"), ("b", "fd"), ("b", "is")]
    assert [conflict.key[0] for conflict in found.conflicts] == ["c"]
    files = len(list(fragments.folder(tmp_path, "metrics").iterdir()))
    for letter in ours:
        reconciling.reconcile_one(store, "evaluate", letter * 64)
    assert len(list(fragments.folder(tmp_path, "metrics").iterdir())) == files


def test_a_damaged_record_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = evaluation(store, "a")
    damaged = fragments.folder(tmp_path, "metrics") / f"{key}.0000000000000000.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"{")
    reconciling.reconcile_one(store, "evaluate", key)
    assert recorded(store) == ["a"]


def test_a_stage_without_rows_leaves_no_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, "train", "a", {"runs": [], "training": [{"key": "a" * 64, "step": 1}]})
    reconciling.reconcile_one(store, "train", "a" * 64)
    assert not fragments.folder(tmp_path, "runs").exists()
    assert len(list(fragments.folder(tmp_path, "training").iterdir())) == 1


def test_what_cannot_tell_hides_nothing_that_comes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged artifact, one without rows, one that is gone once it is read, one recorded."""
    store = Store(tmp_path)
    for letter in "abcdef":
        if letter == "c":
            commit(store, "evaluate", letter, {"metrics": []})
        else:
            evaluation(store, letter)
    (store.folder("evaluate", "a" * 64) / "record.json").write_bytes(b"[")
    real = store.manifest
    gone = "b" * 64
    monkeypatch.setattr(store, "manifest", lambda kind, k: None if k == gone else real(kind, k))
    found = reconciling.unrecorded(store, "metrics", {"e" * 64})
    assert list(found.rows) == ["d" * 64, "f" * 64] and len(found.unreadable) == 1


def test_where_records_cannot_be_listed_a_stage_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice is read once; not at all would be a lost number."""
    store = Store(tmp_path)
    key = evaluation(store, "a")

    def unlisted(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as busy:
        busy.setattr(Path, "glob", unlisted)
        reconciling.reconcile_one(store, "evaluate", key)
    assert recorded(store) == ["a"]


def test_each_damaged_file_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of another user that cannot be read, one that is gone, one that cannot be moved."""
    here = fragments.folder(tmp_path, "metrics")
    here.mkdir(parents=True)
    theirs, gone, stuck, bad = (here / f"{n}.0.json" for n in "abcd")
    folder, unreadable = here / "e.0.json", here / "compact.0.parquet"
    for path in (theirs, stuck, bad, unreadable):
        path.write_bytes(b"{")
    folder.mkdir()
    denied = "cannot be read (Permission denied)"
    corrupt = {theirs: denied, gone: "is not a record", stuck: "is not a record",
               bad: "is not a record", folder: "cannot be read (Is a directory)",
               unreadable: denied}  # fmt: skip
    real = reconciling.os.replace

    def replace(one: Path, other: Path) -> None:
        if one == stuck:
            raise PermissionError(13, "Permission denied")
        real(one, other)

    monkeypatch.setattr(reconciling.os, "replace", replace)
    notes = reconciling.set_aside(Store(tmp_path), corrupt)
    aside = tmp_path / "quarantine"
    assert notes == [
        f"record {theirs} {denied}; it is left where it is",
        f"record {stuck} is not a record, and cannot be moved away: [Errno 13] Permission denied",
        f"record {bad} is not a record: moved to {aside / bad.name}",
        f"record {folder} cannot be read (Is a directory): moved to {aside / folder.name}",
        f"record {unreadable} {denied}: moved to {aside / unreadable.name}",
    ]
    assert theirs.exists() and stuck.exists() and not bad.exists() and not folder.exists()


@pytest.mark.parametrize(
    ("row", "error"), [({"no_column": 1}, KeyError), ({"value": "a word"}, TypeError)]
)
def test_a_row_that_the_schema_does_not_know_is_not_written(
    tmp_path: Path, row: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        reconciling.write(tmp_path, "metrics", "a" * 64, [{"key": "a" * 64, **row}])
    assert not (tmp_path / "records").exists()


def test_a_record_that_cannot_be_read_by_us_or_just_now_is_left_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another user's, and whole. What can be read, and what is a folder, is damaged."""
    store, reason = Store(tmp_path), "cannot be read (Input/output error)"
    path = tmp_path / "a.parquet"

    def failing(error: int) -> Callable[[str, Path], None]:
        def step(what: str, at: Path) -> None:
            if what == "read" and at == path:
                raise OSError(error, "it says no")

        return step

    path.write_bytes(b"x")
    for error in (errno.EIO, errno.EACCES, errno.ESTALE):
        with monkeypatch.context() as patch:
            patch.setattr(files, "step", failing(error))
            (note,) = reconciling.set_aside(store, {path: reason})
        assert note == f"record {path} {reason}; it is left where it is" and path.exists()
    (note,) = reconciling.set_aside(store, {path: reason})
    assert "moved to" in note and not path.exists()
    assert reconciling.set_aside(store, {path: reason}) == []  # another has moved it
    folder = tmp_path / "b.parquet"
    folder.mkdir()
    (note,) = reconciling.set_aside(store, {folder: reason})
    assert "moved to" in note and not folder.exists()


def test_records_that_cannot_be_written_again_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    evaluation(store, "a")

    def full(*_: object) -> None:
        raise HarnessError("the disk is full")

    monkeypatch.setattr(reconciling, "write", full)
    notes = reconciling.reconcile(store)
    assert notes == ["1 record of table 'metrics' is not written again: the disk is full"]
