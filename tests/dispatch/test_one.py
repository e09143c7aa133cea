"""One stage, one process: its outcome on disk, its exit code, and tasks that cannot be read."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.dispatch import one
from harness.plan.stages import Place, Task


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """`main` is the process's own: what it sets is set back."""
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def task_file(folder: Path, **more: Any) -> Path:
    task = Task("complexity", "a" * 64, "{}", {}, {}, "a stage", None, Place(device="cpu"))
    told = {
        "root": str(folder / "results"),
        "task": json.loads(task.to_json()),
        "log": str(folder / "log"),
        "outcome": str(folder / "outcome.json"),
    }
    path = folder / "task.json"
    path.write_text(json.dumps({**told, **more}))
    return path


@pytest.mark.parametrize(
    ("event", "content", "code"),
    [
        ("done", {"ours": True, "leaving": False}, 0),
        ("failed", {"failure": "error", "message": "why", "peer": True}, 1),
        ("stopped", {"message": "asked to"}, 3),
    ],
)
def test_how_it_ended_is_written_and_is_the_exit_code(
    event: str, content: dict[str, Any], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one, "perform", lambda *_: (event, dict(content)))
    assert one.main(str(task_file(tmp_path))) == code
    kept = {k: v for k, v in content.items() if k not in ("leaving", "peer")}
    assert json.loads((tmp_path / "outcome.json").read_text()) == {"event": event, **kept}
    assert [p.name for p in tmp_path.glob("_*")] == [], "whole or not at all"


def test_a_signal_asks_the_stage_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def perform(task: Any, store: Any, log: Any, progress: Any, stopping: Any) -> Any:
        assert not stopping()
        signal.raise_signal(signal.SIGTERM)
        assert stopping()
        progress(done=1, total=2)
        told = json.loads((tmp_path / "outcome.json").read_text())
        assert told == {"event": "progress", "done": 1, "total": 2}
        return "stopped", {"message": "saved"}

    monkeypatch.setattr(one, "perform", perform)
    assert one.main(str(task_file(tmp_path))) == 3


def test_of_several_processes_the_first_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(one, "perform", lambda *_: ("done", {}))
    assert one.main(str(task_file(tmp_path))) == 0
    assert not (tmp_path / "outcome.json").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"task": {}, "log": "l", "outcome": "o"}'])
def test_what_holds_no_task_is_named(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "task.json").write_text(text)
    assert one.main(str(tmp_path / "task.json")) == 2
    assert "task.json holds no task: " in capsys.readouterr().err
    assert one.main(str(tmp_path / "absent.json")) == 2
