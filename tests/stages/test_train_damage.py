"""Training: damaged checkpoints, full disks; what is lost is one checkpoint and never silently."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import warm
from training import KILLED, checkpoints_of, content, stop_after

from harness.stages import checkpoints
from harness.stages.work import Stopped
from harness.store import files

Laboratory = Any  # conftest.py's; pytest gives it without an import


@pytest.mark.slow
def test_a_truncated_checkpoint_falls_back_to_the_one_before_and_says_so(
    laboratory: Laboratory, undisturbed: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    task = laboratory.task("train", checkpoint_every=2)
    with pytest.raises(Stopped):
        laboratory.run(task, stop_after(7))
    before, newest = checkpoints_of(laboratory, task)
    with open(newest / "state.safetensors", "r+b") as file:
        file.truncate(1000)
    capsys.readouterr()
    laboratory.run(task)
    said = capsys.readouterr().out
    assert f"{newest} is damaged" in said and "1,000 bytes" in said
    assert f"resumed at step {int(before.name[5:])}" in said
    assert content(laboratory, task) == content(undisturbed, task)


def test_a_checkpoint_with_one_flipped_bit_is_not_used(laboratory: Laboratory) -> None:
    task = laboratory.task("train")
    with pytest.raises(Stopped):
        laboratory.run(task, stop_after(5))
    (only,) = checkpoints_of(laboratory, task)
    data = bytearray((only / "state.safetensors").read_bytes())
    data[-1] ^= 1
    (only / "state.safetensors").write_bytes(data)
    assert checkpoints.newest(laboratory.store.scratch(task.key)) is None


WRITING = """
import os, signal, sys
from harness.stages import checkpoints
from harness.store import files
def step(operation, path):
    if operation == "sync file" and len(list(path.parent.parent.glob("step-*"))) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
files.step = step
"""


@pytest.mark.slow
def test_what_a_kill_in_the_middle_of_a_checkpoint_leaves_is_gone_before_space_is_asked_for(
    laboratory: Laboratory, undisturbed: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = laboratory.task("train", checkpoint_every=2)
    (tmp_path / "task.json").write_text(task.to_json())
    arguments = [str(laboratory.store.root), str(tmp_path / "task.json"), "1000"]
    ended = subprocess.run([warm.python(), "-c", WRITING + KILLED, *arguments], cwd=Path.cwd())
    scratch = laboratory.store.scratch(task.key)
    assert ended.returncode == -signal.SIGKILL
    assert len(list(scratch.glob("_step-*/state.safetensors"))) == 1

    left: list[int] = []
    real = checkpoints.check_space

    def asked(folder: Path, need: int) -> None:
        left.append(len(list(scratch.glob("_step-*"))))
        real(folder, need)

    monkeypatch.setattr(checkpoints, "check_space", asked)
    laboratory.run(task)
    assert left[0] == 0
    assert content(laboratory, task) == content(undisturbed, task)


def told(**changed: Any) -> Any:
    """A change to a checkpoint's JSON that leaves its own checksum as it was."""
    return lambda text: json.dumps({**json.loads(text), **changed})


DAMAGE: dict[str, Any] = {
    "a flipped digit of the step": lambda text: text.replace('"step": 6', '"step": 8'),
    "another number in the log": told(seconds=1e6),
    "no object": lambda text: "[]",
    "a string for the step": told(step="6", about_sha256=None),
    "fields that are gone": lambda text: "{}",
    "an older one whose step is not its folder's": lambda text: older(told(step=8)(text)),
}


def older(text: str) -> str:
    """A checkpoint's JSON as it was before it had a checksum of its own."""
    return json.dumps({k: v for k, v in json.loads(text).items() if k != "about_sha256"})


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_checkpoint_with_damaged_json_falls_back_to_the_one_before(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    task = laboratory.task("train", checkpoint_every=2)
    with pytest.raises(Stopped):
        laboratory.run(task, stop_after(6))
    before, newest = checkpoints_of(laboratory, task)
    assert newest.name == "step-000000006"
    about = newest / "state.json"
    text, changed = about.read_text(), DAMAGE[damage](about.read_text())
    assert changed != text
    about.write_text(older(text))
    assert checkpoints.newest(newest.parent) == newest  # as earlier versions wrote it
    about.write_text(changed)
    assert checkpoints.newest(newest.parent) == before
    assert f"{newest} is damaged (state.json " in capsys.readouterr().out


@pytest.mark.slow
def test_a_full_disk_says_how_many_bytes_are_missing_and_keeps_the_last_checkpoint(
    laboratory: Laboratory, undisturbed: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = laboratory.task("train")
    with pytest.raises(Stopped):
        laboratory.run(task, stop_after(5))
    (good,) = checkpoints_of(laboratory, task)
    usage = shutil.disk_usage(laboratory.root)._replace(free=10_000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(files.DiskFull, match=r"[\d,]+ bytes are missing"):
            laboratory.run(task)
    assert checkpoints_of(laboratory, task) == [good]
    laboratory.run(task)
    assert content(laboratory, task) == content(undisturbed, task)


@pytest.mark.slow
def test_a_disk_that_fills_while_training_ends_it_soon_and_keeps_the_last_checkpoint(
    laboratory: Laboratory, undisturbed: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, opened, steps = laboratory.task("train", checkpoint_every=2), [0], [0]

    def full(path: Path, mode: str, **options: Any) -> Any:
        opened[0] += 1  # the kernel's own ENOSPC from the third checkpoint on
        return open("/dev/full" if opened[0] > 2 else path, mode, **options)

    def stopping() -> bool:
        steps[0] += 1
        time.sleep(0.1)  # the thread that writes has time to fail
        return False

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "open", full, raising=False)
        with pytest.raises(files.DiskFull, match=r"[\d,]+ bytes are missing; the last checkpoint"):
            laboratory.run(task, stopping)
    assert steps[0] < 8  # not only when the next checkpoint or the end comes
    assert [p.name for p in checkpoints_of(laboratory, task)] == [
        "step-000000002",
        "step-000000004",
    ]
    assert laboratory.store.manifest("train", task.key) is None
    laboratory.run(task)
    assert content(laboratory, task) == content(undisturbed, task)
