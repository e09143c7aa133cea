"""What killed processes left is removed; what somebody holds, or has just made, is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.upkeep import abandoned

OLD = time.time() - 60


def old(path: Path) -> Path:
    os.utime(path, (OLD, OLD))
    return path


def test_half_a_file_and_an_unpacked_archive_of_nobody_are_removed(tmp_path: Path) -> None:
    half, folder = tmp_path / "_a.tar.12345678", tmp_path / "archive.1"
    half.write_bytes(b"half")
    (folder / "results" / "records").mkdir(parents=True)
    abandoned.remove([old(half), old(folder), tmp_path / "not there"])
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_holds_stays_until_he_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "archive.1"
    path.mkdir()
    hold = (
        "import sys; from pathlib import Path; from harness.upkeep import abandoned\n"
        "with abandoned.held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        abandoned.remove([old(path)])
        assert path.is_dir()
    finally:
        holder.kill()  # no farewell
        holder.communicate()
    abandoned.remove([old(path)])
    assert not path.exists()


def test_what_was_just_made_may_not_be_locked_yet(tmp_path: Path) -> None:
    (tmp_path / "fresh").write_text("")
    abandoned.remove([tmp_path / "fresh"])
    assert (tmp_path / "fresh").exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    (tmp_path / "link").symlink_to("mine")
    os.utime(tmp_path / "link", (OLD, OLD), follow_symlinks=False)
    abandoned.remove([tmp_path / "link", tmp_path / "mine" / "below"])
    assert (tmp_path / "mine").exists()


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    (tmp_path / "half").write_text("")
    monkeypatch.setattr(abandoned.fcntl, "flock", refused)
    with abandoned.held(tmp_path / "half"):
        abandoned.remove([old(tmp_path / "half")])
    assert (tmp_path / "half").exists()
