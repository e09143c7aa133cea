"""Artifacts without their payload."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.store import files
from harness.store.artifacts import Store
from harness.store.pruned import make_room, mark, prune, pruned_keys

KEY = "d" * 64


def committed(root: Path) -> Store:
    store = Store(root)
    staging = store.staging(KEY)
    (staging / "weights").mkdir()
    (staging / "weights" / "a.bin").write_bytes(b"x" * 1000)
    (staging / "log.txt").write_bytes(b"y" * 10)
    assert store.commit("train", KEY, staging, {"runs": []}, {"step": 3}, {})
    return store


def test_the_payload_goes_and_what_was_recorded_stays(tmp_path: Path) -> None:
    store = committed(tmp_path)
    manifest = store.manifest("train", KEY)
    assert pruned_keys(store) == set()
    assert prune(store, "train", KEY) == 1010
    assert pruned_keys(store) == {KEY}
    assert store.manifest("train", KEY) == manifest
    left = {p.name for p in store.folder("train", KEY).rglob("*") if p.is_file()}
    assert left == {"manifest.json", "record.json"}
    assert prune(store, "train", KEY) == 0  # twice is as good as once
    assert prune(store, "train", "e" * 64) == 0 and pruned_keys(store) == {KEY}


def test_killed_while_it_deletes_it_counts_as_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = committed(tmp_path)

    class Killed(BaseException):
        pass

    def step(operation: str, path: Path) -> None:
        if operation == "delete":
            raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(files, "step", step)
        prune(store, "train", KEY)
    assert pruned_keys(store) == {KEY}
    assert prune(store, "train", KEY) == 1010


def test_it_can_be_made_and_committed_again(tmp_path: Path) -> None:
    store = committed(tmp_path)
    prune(store, "train", KEY)
    make_room(store, "train", KEY)
    assert pruned_keys(store) == set() and store.manifest("train", KEY) is None
    committed(tmp_path)
    assert store.open("train", KEY) is not None


@pytest.mark.parametrize("marked", [False, True])
def test_what_is_whole_is_not_moved_away_to_be_made_again(marked: bool, tmp_path: Path) -> None:
    """A network disk had not listed it yet; weeks of training went to quarantine/."""
    store = committed(tmp_path)
    if marked:  # killed before anything was deleted
        mark(store, "train", KEY)
    make_room(store, "train", KEY)
    assert store.open("train", KEY) is not None and pruned_keys(store) == set()
    assert not list(tmp_path.glob("quarantine/*"))


def test_a_disk_that_does_not_answer_moves_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was an error of the operating system, which no verb expects."""
    store = committed(tmp_path)
    real, folder = Path.stat, str(store.folder("train", KEY))

    def stat(path: Path, **how: bool) -> os.stat_result:
        if str(path).startswith(folder):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(path, **how)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", stat)
        make_room(store, "train", KEY)
    assert store.open("train", KEY) is not None
