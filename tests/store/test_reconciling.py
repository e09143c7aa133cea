"""Records made complete from what is committed."""

from __future__ import annotations

from pathlib import Path

import pytest
from committed import commit

from harness.store import fragments, loading, reconciling
from harness.store.artifacts import Store


def evaluation(store: Store, letter: str, value: float = 1.0) -> str:
    key = letter * 64
    row = {"key": key, "metric": "fd", "value": value, "of": "samples"}
    return commit(store, "evaluate", letter, {"metrics": [row]})


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
    (note,) = reconciling.reconcile(store)
    assert str(file) in note and "moved to" in note
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
    assert len(list(fragments.folder(tmp_path, "metrics").iterdir())) == 1


@pytest.mark.parametrize(
    ("row", "error"), [({"no_column": 1}, KeyError), ({"value": "a word"}, TypeError)]
)
def test_a_row_that_the_schema_does_not_know_is_not_written(
    tmp_path: Path, row: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        reconciling.write(tmp_path, "metrics", "a" * 64, [{"key": "a" * 64, **row}])
    assert not (tmp_path / "records").exists()
