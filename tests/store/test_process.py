"""Which process is meant by a number."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.store.process import HIDDEN, born


def test_a_process_keeps_its_birth_and_the_dead_have_none() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    first = born(child.pid)
    assert first is not None and first == born(child.pid) and first.isdigit()
    child.communicate(b"\n")
    assert born(child.pid) is None


def test_a_child_that_ended_and_was_not_waited_for_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    assert born(child.pid) is None
    child.wait()


def test_without_proc_the_system_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(*_: object) -> str:
        raise OSError

    monkeypatch.setattr(Path, "read_text", hidden)
    assert born(os.getpid()) == "unknown"
    assert born(2**22 + 1) is None and born(10**30) is None

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert born(os.getpid()) == HIDDEN
