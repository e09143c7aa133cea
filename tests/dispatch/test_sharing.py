"""Stages that see each other on a GPU, whatever way they end."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.dispatch import sharing
from harness.dispatch.sharing import Presence


def test_a_stage_by_itself_is_alone_and_so_is_the_next_one(tmp_path: Path) -> None:
    for _ in range(3):
        one = Presence(["GPU-a"], tmp_path / "gpus")
        assert one.alone()
        one.leave()
    beside = [Presence([gpu], tmp_path / "gpus") for gpu in ("GPU-a", "GPU-b")]
    assert all(one.alone() for one in beside)


def test_two_that_overlap_both_know_it_although_one_has_left(tmp_path: Path) -> None:
    first = Presence(["GPU-a", "GPU-b"], tmp_path)
    second = Presence(["GPU-b"], tmp_path)
    assert not second.alone()
    second.leave()
    assert not first.alone()


def test_one_that_begins_when_the_first_has_left_sees_who_stayed(tmp_path: Path) -> None:
    first, second = Presence(["GPU-a"], tmp_path), Presence(["GPU-a"], tmp_path)
    first.leave()
    third = Presence(["GPU-a"], tmp_path)
    assert not second.alone() and not third.alone()


@pytest.mark.slow
def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, time; from harness.dispatch.sharing import Presence\n"
        "kept = Presence(['GPU-a'], pathlib.Path(sys.argv[1])); print(kept.alone(), flush=True)\n"
        "time.sleep(60)"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "True\n"
        beside = Presence(["GPU-a"], tmp_path)
        assert not beside.alone()
        beside.leave()
        other.kill()
    assert Presence(["GPU-a"], tmp_path).alone()


def test_a_forked_process_keeps_nothing_of_a_stage_that_has_left(tmp_path: Path) -> None:
    one = Presence(["GPU-a"], tmp_path)
    kept = [os.dup(handle) for handle in one._handles]  # as a fork has them
    one.leave()
    assert Presence(["GPU-a"], tmp_path).alone()
    for handle in kept:
        os.close(handle)


def test_whoever_stops_at_the_door_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "DOOR_S", 0.02)
    with open(tmp_path / "door", "w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="does not go on"):
            Presence(["GPU-a"], tmp_path)


def test_a_folder_of_another_user_and_a_link_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "GPU-a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="GPU-a"):
        Presence(["GPU-a"], tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(PermissionError, match="another user"):
        Presence(["GPU-b"], tmp_path)
