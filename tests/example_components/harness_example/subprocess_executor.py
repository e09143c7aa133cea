"""An executor that runs each stage as a plain process of its own: no workers, no cluster.

    dispatch: {executor: {name: subprocess, at_once: 4}}

Slower than warm workers by the seconds that importing torch takes, and the simplest there is: a
place to begin for an executor on another kind of machine.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.components import Executor
from harness.dispatch.executor import Event, PoolExecutor
from harness.dispatch.ledger import Attempt
from harness.plan.stages import Task


class Subprocess(Executor):
    """Each stage is a process of its own, some at a time."""

    name: ClassVar[str] = "subprocess"
    policy: ClassVar[Literal["pool", "queue"]] = "pool"

    at_once: int = 1
    "Stages that run at the same time."

    def open(self, root: Path, study: Any) -> Any:
        return Processes(root, self.at_once)


@dataclass
class Running:
    """A stage's process, and where it says how far it is and how it ended."""

    process: subprocess.Popen[bytes]
    outcome: Path
    told: str = ""  # what was read there last


class Processes(PoolExecutor):
    """The running executor: what the driver asks of it."""

    def __init__(self, root: Path, at_once: int) -> None:
        self.root, self.at_once = Path(root), at_once
        self.running: dict[str, Running] = {}

    def free(self) -> int:
        return self.at_once - len(self.running)

    def start(self, task: Task, attempt: Attempt) -> None:
        folder = self.root / "subprocess" / attempt.id
        folder.mkdir(parents=True, exist_ok=True)
        outcome = folder / "outcome.json"
        given = {
            "root": str(self.root),
            "task": json.loads(task.to_json()),
            "log": attempt.log,
            "outcome": str(outcome),
            "lifeline": True,  # it ends with us, even when we are killed
        }
        (folder / "task.json").write_text(json.dumps(given))
        with open(folder / "printed.txt", "wb") as printed:  # outside the stage
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.dispatch.one", str(folder / "task.json")],
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=printed,
                start_new_session=True,  # Ctrl-C is the driver's to handle
            )
        self.running[task.key] = Running(process, outcome)

    def poll(self, timeout: float) -> list[Event]:
        until = time.monotonic() + timeout
        while not (events := self._look()) and time.monotonic() < until:
            time.sleep(min(0.05, timeout))
        return events

    def _look(self) -> list[Event]:
        events = []
        for key, one in list(self.running.items()):
            code = one.process.poll()  # first: what it said last is then there
            said: dict[str, Any] = {}
            with contextlib.suppress(OSError, ValueError):
                text = one.outcome.read_text()
                if text != one.told or code is not None:
                    one.told, said = text, json.loads(text)
            event = said.pop("event", None)
            if event == "progress" and code is None:
                events.append(Event("progress", key, said))
            if code is None:
                continue
            self._forget(key)
            if event in ("done", "stopped", "failed"):
                events.append(Event(event, key, said))
            else:
                message = f"its process ended with {code} and did not say why"
                events.append(Event("failed", key, {"failure": "killed", "message": message}))
        return events

    def _forget(self, key: str) -> None:
        one = self.running.pop(key)
        one.process.stdin.close()  # type: ignore[union-attr]

    def stop(self) -> None:
        self.cancel(list(self.running))

    def cancel(self, keys: Iterable[str]) -> None:
        for key in keys:
            if key in self.running:
                self.running[key].process.terminate()

    def close(self) -> None:
        for key, one in list(self.running.items()):
            self._forget(key)  # its standard input closes: it ends at once
            try:
                one.process.wait(5)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
