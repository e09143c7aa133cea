"""The one layer that touches files: modes by the umask, and what a network disk does to writers."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy

from harness.errors import HarnessError
from harness.store import Store, files, records
from harness.store.files import DiskFull, NotWritable

KEY = "a" * 64
ROWS = {"metrics": [{"key": KEY, "metric": "fid", "value": 1.5}]}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o002, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_every_file_of_a_stage_has_the_mode_that_the_umask_gives(
    tmp_path: Path, umask: int
) -> None:
    import numpy as np

    root = tmp_path / "results"
    store = Store(root)
    staging = store.staging(KEY)
    safetensors.numpy.save_file({"w": np.zeros(3)}, staging / "ema.safetensors")
    private = staging / "of_tempfile"
    os.close(os.open(private, os.O_CREAT | os.O_WRONLY, 0o600))
    store.commit("evaluate", KEY, staging, ROWS, {}, {"settings": {}})
    records.reconcile(store)
    files.create_exclusive(root / "claims" / KEY, b"1")
    records.compact(root, above=0)
    found = [path for path in root.rglob("*") if path.is_file()]
    assert len(found) >= 7  # manifest, record, two of the stage, claim, records, their keys
    assert {path.name: mode(path) for path in found} == {p.name: 0o666 & ~umask for p in found}
    folders = [path for path in root.rglob("*") if path.is_dir()]
    assert {mode(path) for path in folders} == {0o777 & ~umask}


def test_the_umask_is_found_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> Any:
        raise FileNotFoundError

    before = os.umask(0o027)
    try:
        monkeypatch.setattr("builtins.open", none)
        assert files._umask() == 0o027
        assert os.umask(0o027) == 0o027  # and left as it was
    finally:
        os.umask(before)


# --- a network disk -------------------------------------------------------------------------------


def one_stage(root: Path) -> None:
    """All that the store does for a stage, and then merging and reading."""
    store = Store(root)
    store.check_writable()
    staging = store.staging(KEY)
    (staging / "metrics.json").write_text("{}")
    store.commit("evaluate", KEY, staging, ROWS, {}, {"settings": {}})
    records.reconcile_one(store, "evaluate", KEY)
    records.reconcile(store)
    records.compact(root, above=0)
    assert len(records.read_frames(root)["metrics"]) == 1


def failing(count: int, code: int) -> tuple[Callable[[str, Path], None], list[str]]:
    """A `files.step` whose count-th call fails so, and what it failed at."""
    left, at = [count], list[str]()

    def step(operation: str, path: Path) -> None:
        left[0] -= 1
        if left[0] == -1:
            at.append(operation)
            raise OSError(code, os.strerror(code), str(path))

    return step, at


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.EDQUOT])
def test_an_error_at_any_step_is_told_and_the_same_work_again_ends_whole(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations: set[str] = set()
    for count in range(200):
        root = tmp_path / str(count)
        step, at = failing(count, code)
        monkeypatch.setattr(files, "step", step)
        try:
            one_stage(root)
        except HarnessError as error:
            assert str(root) in str(error)  # never a bare OSError: somebody has to read it
            if code == errno.EDQUOT and at[0] not in ("read", "list"):
                assert isinstance(error, DiskFull)
        monkeypatch.undo()
        if not at:
            break
        operations.update(at)
        one_stage(root)
        assert [p.name for p in (root / "artifacts" / "evaluate").iterdir()] == [KEY]
        assert not list(root.glob("quarantine/*")), f"{at} threw away what was whole"
    assert 20 < count < 199, "every write, rename and read has its step"
    assert {"write", "rename", "commit", "read", "sync file", "make folder"} <= operations


def happened(operation: Callable[..., None], code: int) -> Callable[..., None]:
    """The system call does it, and its answer is lost."""

    def call(*args: Any, **kwargs: Any) -> None:
        operation(*args, **kwargs)
        raise OSError(code, os.strerror(code), str(args[-1]))

    return call


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOENT, errno.ESTALE])
@pytest.mark.parametrize("name", ["replace", "rename"])
def test_a_rename_that_is_reported_failed_but_happened_counts(
    tmp_path: Path, name: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, name, happened(getattr(os, name), code))
    store = Store(tmp_path)
    staging = store.staging(KEY)
    assert store.commit("evaluate", KEY, staging, ROWS, {}, {"settings": {}})  # ours
    records.reconcile(store)
    records.compact(tmp_path, above=0)
    assert list(records.read_frames(tmp_path)["metrics"]["value"]) == [1.5]
    assert not list(tmp_path.rglob("_*"))


@pytest.mark.parametrize("code", [errno.EIO, errno.EEXIST])
def test_a_link_that_is_reported_failed_but_happened_is_ours(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", happened(os.link, code))
    assert files.create_exclusive(tmp_path / "claim", b"1")
    monkeypatch.undo()
    assert not files.create_exclusive(tmp_path / "claim", b"2")
    assert (tmp_path / "claim").read_bytes() == b"1"


def test_a_rename_that_failed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"old")

    def fail(*args: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(NotWritable, match="Input/output error"):
        files.write_atomic(tmp_path / "x", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


def test_a_file_that_the_disk_lost_hold_of_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"1")
    left = [files.STALE - 1]

    def step(operation: str, path: Path) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))

    monkeypatch.setattr(files, "step", step)
    assert files.read_bytes(tmp_path / "x") == b"1" and left == [0]
    left[0] = 99
    with pytest.raises(FileNotFoundError):
        files.read_bytes(tmp_path / "x")


@pytest.mark.slow
def test_a_listing_of_a_minute_ago_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that are gone are waited for; what is not listed yet is written as it lies there."""
    store = Store(tmp_path)
    keys = [f"{n:064x}" for n in range(4)]
    folder = tmp_path / "records" / "metrics"
    for key in keys:
        rows = {"metrics": [{"key": key, "metric": "fid", "value": 1.5}]}
        store.commit("evaluate", key, store.staging(key), rows, {}, {"settings": {}})
    records.reconcile(store)
    old, real = os.listdir(folder), os.listdir
    records.compact(tmp_path, above=0)
    clock = [0.0]

    def listed(path: Any) -> list[str]:
        return old if Path(path) == folder and clock[0] < 60 else real(path)

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(os, "listdir", listed)
    monkeypatch.setattr("time.sleep", sleep)
    assert list(records.read_frames(tmp_path)["metrics"]["key"]) == keys
    assert clock[0] >= 60
    clock[0] = 0
    assert records.compact(tmp_path, above=0) == 0  # another did it, as far as it can see
    old = []  # nothing is listed yet
    for key in keys:
        records.reconcile_one(store, "evaluate", key)
    records.reconcile(store)
    clock[0] = 99
    assert list(records.read_frames(tmp_path)["metrics"]["key"]) == keys


def test_a_json_values_checksum_is_of_its_content_and_not_of_its_order() -> None:
    """Claims, batches and ledger entries of before bear it: it must not move."""
    content = {"pid": 7, "host": "a", "of": [1, 2.5, None, True]}
    assert files.checksum(content) == files.checksum(dict(reversed(content.items())))
    assert files.checksum(content) == "108b990060f1f847"
    assert files.checksum({**content, "pid": 8}) != files.checksum(content)
