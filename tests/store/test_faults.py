"""`kill -9` at every write of the commit protocol: whatever was reached, the same work done again
ends with one whole artifact, one record and one claim free."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.dispatch.ledger import Ledger
from harness.store import Store, files, records
from harness.store.artifacts import CorruptArtifact

KEY = "a" * 64
ROWS = {"runs": [{"key": KEY, "run": "r" * 64, "step": 20, "seconds": 1.5}]}


def one_stage(root: Path) -> None:
    """All that a driver and its worker write for one stage."""
    store, ledger = Store(root), Ledger(root)
    ledger.settle([KEY])
    if not ledger.claim(KEY):
        raise AssertionError("the claim of a dead process was not broken")
    if store.manifest("train", KEY) is None:
        attempt = ledger.begin(KEY, "train", "train x")
        staging = store.staging(KEY)
        (staging / "weights.bin").write_bytes(b"w" * 1000)
        store.commit("train", KEY, staging, ROWS, {"seconds": 1.5}, {})
        ledger.end(attempt, "done")
    records.reconcile(store)
    ledger.release(KEY)


def compaction(root: Path) -> None:
    records.compact(root, above=0)


def killed_at(count: int, action: Callable[[], None]) -> bool:
    """Do `action` in another process, which kills itself at its count-th write. Did it?"""
    child = os.fork()
    if child == 0:
        left = [count]

        def step(operation: str, path: Path) -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        files.step = step
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the action itself failed"
    return False


def check_seen(root: Path) -> None:
    """What a reader may find at any moment: nothing, or the whole."""
    store = Store(root)
    artifact = store.open("train", KEY)  # raises on anything half written
    if artifact is not None:
        assert artifact.file("weights.bin").read_bytes() == b"w" * 1000
    assert len(records.read_frames(root)["runs"]) <= 1
    assert records.scan(root, "runs").corrupt == {}


def check_whole(root: Path) -> None:
    store = Store(root)
    assert store.open("train", KEY) is not None
    assert len(records.read_frames(root)["runs"]) == 1
    assert [a.state for a in Ledger(root).attempts(KEY)].count("running") == 0
    assert Ledger(root).holder(KEY) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_any_write_the_same_work_again_ends_whole(tmp_path: Path) -> None:
    writes = 0
    while True:
        root = tmp_path / str(writes)
        killed = killed_at(writes, lambda root=root: one_stage(root))  # type: ignore[misc]
        check_seen(root)
        one_stage(root)
        check_whole(root)
        shutil.rmtree(root)
        if not killed:
            break
        writes += 1
    assert writes >= 15, f"only {writes} writes were found: does every one call files.step?"


@pytest.mark.parametrize(
    ("steps", "more"),
    [pytest.param(4, 6, marks=pytest.mark.slow), pytest.param(3, 5, marks=pytest.mark.full)],
)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_twice_at_any_two_writes_it_still_ends_whole(
    tmp_path: Path, steps: int, more: int
) -> None:
    for first in range(0, 24, steps):
        for second in range(1, 24, more):
            root = tmp_path / f"{first}-{second}"
            killed_at(first, lambda root=root: one_stage(root))  # type: ignore[misc]
            killed_at(second, lambda root=root: one_stage(root))  # type: ignore[misc]
            check_seen(root)
            one_stage(root)
            check_whole(root)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_compaction_killed_at_any_write_loses_and_doubles_nothing(tmp_path: Path) -> None:
    writes = 0
    while True:
        root = tmp_path / str(writes)
        store = Store(root)
        for i in range(5):
            key = str(i) * 64
            rows = [{"key": key, "run": key, "step": i}]
            staging = store.staging(key)
            store.commit("train", key, staging, {"runs": rows}, {}, {})
            records.reconcile_one(store, "train", key)
        killed = killed_at(writes, lambda root=root: compaction(root))  # type: ignore[misc]
        assert len(records.read_frames(root)["runs"]) == 5
        compaction(root)
        assert len(records.read_frames(root)["runs"]) == 5
        assert len(list((root / "records" / "runs").glob("[!_]*"))) == 2  # and its keys
        if not killed:
            break
        writes += 1
    assert writes >= 5


def test_a_torn_file_is_noticed_before_it_is_used(tmp_path: Path) -> None:
    """What a power cut can do on a disk that reorders writes: a manifest without all its data."""
    one_stage(tmp_path)
    weights = Store(tmp_path).folder("train", KEY) / "weights.bin"
    weights.write_bytes(b"w" * 999)
    with pytest.raises(CorruptArtifact, match=r"999 bytes, its manifest says 1,000"):
        Store(tmp_path).open("train", KEY)
