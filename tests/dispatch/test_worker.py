"""A worker's attempt at a stage: everything in its log, and how it ended."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import boards as made_up
import pytest

from harness.dispatch.energy import Meter
from harness.dispatch.worker import begin_log, logging_to, perform, tell
from harness.plan.stages import Place, Task
from harness.stages import execute as executing
from harness.stages.work import Stopped
from harness.store import Store

TASK = Task("complexity", "a" * 64, "{}", {}, {}, "complexity x", None, Place(device="cpu"))
NO_GPU = {"devices": 0, "joules": None}


def as_in_a_worker(patch: pytest.MonkeyPatch) -> None:
    """What Python prints goes to the file descriptors, at once."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        patch.setattr(sys, name, open(number, "w", buffering=1, closefd=False))  # noqa: SIM115


def performed(folder: Path, patch: pytest.MonkeyPatch, act: Any) -> tuple[str, dict[str, Any], str]:
    as_in_a_worker(patch)
    patch.setattr(executing, "execute", act)
    log = folder / "log"
    event, content = perform(TASK, Store(folder), log, lambda **_: None, lambda: False)
    return event, content, log.read_text() if log.exists() else ""


def test_a_commit_is_done_and_the_log_names_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, content, log = performed(tmp_path, monkeypatch, lambda *_: True)
    assert (event, content) == ("done", {"ours": True, "used": NO_GPU})
    assert "complexity x" in log and TASK.key in log and "committed" in log


def test_a_request_to_stop_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(*_: Any) -> bool:
        raise Stopped("saved at step 7")

    event, content, log = performed(tmp_path, monkeypatch, act)
    assert (event, content) == ("stopped", {"message": "saved at step 7", "used": NO_GPU})
    assert "stopped: saved at step 7" in log


def test_what_a_stage_used_is_in_its_progress_and_in_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boards = made_up.install(monkeypatch, tmp_path)
    seen: list[dict[str, Any]] = []

    def act(task: Task, store: Store, progress: Any, stopping: Any) -> bool:
        progress(done=1)
        boards.drawn["GPU-c"] += 5000
        raise ValueError("killed soon after")

    as_in_a_worker(monkeypatch)
    monkeypatch.setattr(executing, "execute", act)
    task, log = replace(TASK, place=Place(device="cuda")), tmp_path / "log"
    event, content = perform(
        task, Store(tmp_path), log, lambda **state: seen.append(state), lambda: False
    )
    assert seen == [{"done": 1, "used": {"devices": 1, "joules": 0.0}}]
    assert event == "failed" and content["used"] == {"devices": 1, "joules": 5.0}


@pytest.mark.parametrize("error", [None, Stopped("saved"), ValueError("torn")])
def test_the_energy_is_of_the_stage_alone_and_its_other_machines_are_heard_before_it_is_said(
    error: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boards = made_up.install(monkeypatch, tmp_path)
    events: list[str] = []

    def act(*_: Any) -> bool:
        boards.drawn["GPU-c"] += 5000
        if error is not None:
            raise error
        return True

    def close(meter: Meter, real: Any = Meter.close) -> None:
        events.append("closed")
        real(meter)
        boards.drawn["GPU-c"] += 1000

    def content(meter: Meter, real: Any = Meter.content) -> dict[str, Any]:
        events.append("said")
        found: dict[str, Any] = real(meter)
        return found

    as_in_a_worker(monkeypatch)
    monkeypatch.setattr(executing, "execute", act)
    monkeypatch.setattr(Meter, "close", close)
    monkeypatch.setattr(Meter, "content", content)
    task = replace(TASK, place=Place(device="cuda"))
    _, found = perform(task, Store(tmp_path), tmp_path / "log", lambda **_: None, lambda: False)
    assert found["used"] == {"devices": 1, "joules": 5.0} and events[:2] == ["closed", "said"]


def test_an_error_has_its_class_its_message_and_its_traceback_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(*_: Any) -> bool:
        print("before it")
        raise ZeroDivisionError("by nothing")

    event, content, log = performed(tmp_path, monkeypatch, act)
    assert event == "failed" and content["failure"] == "error"
    assert content["message"].startswith("ZeroDivisionError: by nothing")
    assert "before it" in log and "Traceback" in log


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/data/x.npz"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_in_a_sentence_with_the_remedy(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(*_: Any) -> bool:
        raise error

    event, content, log = performed(tmp_path, monkeypatch, act)
    assert event == "failed" and content["failure"] == "environment"
    assert str(error) in content["message"]
    assert "free some and run the same command again" in content["message"]
    assert content["message"] in log and "Traceback" not in log


def test_a_log_that_cannot_be_written_is_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").mkdir()
    monkeypatch.setattr(executing, "execute", lambda *_: pytest.fail("it was run"))
    event, content = perform(TASK, Store(tmp_path), tmp_path / "log", print, lambda: False)
    assert event == "failed" and content["failure"] == "environment"
    assert str(tmp_path / "log") in content["message"]


def test_what_programs_print_goes_to_the_log_and_then_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_in_a_worker(monkeypatch)
    log = tmp_path / "log"
    assert begin_log(log, TASK) is None
    with logging_to(log):
        os.system("echo from a program")
        sys.stderr.write("from python\n")
        tell("told")
    before = log.read_text()
    assert "from a program" in before and "from python" in before and "told" in before
    os.system("true")
    assert log.read_text() == before


def test_a_second_try_goes_on_in_the_same_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_in_a_worker(monkeypatch)
    log = tmp_path / "log"
    begin_log(log, TASK)
    with logging_to(log):
        tell("first")
    begin_log(log, TASK)
    assert "first" in log.read_text()
