"""One stage, one process: for executors that keep no workers.

    python -m harness.dispatch.one TASK.json

TASK.json: {"root": results folder, "task": a Task's JSON as an object, "log": the attempt's log,
"outcome": the file to write at the end, "lifeline": end when standard input closes (default no)}.
All that the stage prints goes to its log. OUTCOME holds {"event": done, stopped or failed, ...}, as
an executor's event has it; a process that ended without one was killed. SIGTERM saves the stage's
progress and ends it. With RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT set, as many
processes do the stage together; the first one writes the outcome. LOCAL_WORLD_SIZE says how many of
them are on this machine (default all).

Exit codes: 0 done, 1 failed, 2 a task that cannot be read, 3 stopped.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from harness.dispatch.worker import perform
from harness.errors import on_one_line
from harness.plan.stages import Task
from harness.store import files

CODES = {"done": 0, "failed": 1, "stopped": 3}
PROGRESS_S = 1.0


def main(path: str) -> int:
    """Do the stage that the file at `path` describes.

    Returns 0 when it is done, 1 failed, 2 without a task, 3 stopped.
    """
    try:
        given = json.loads(Path(path).read_text())
        task = Task.from_json(json.dumps(given["task"]))
        log, outcome = Path(given["log"]), Path(given["outcome"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: {path} holds no task: {on_one_line(error)}", file=sys.stderr)
        return 2
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, lambda received, frame: asked.append(received))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    if given.get("lifeline"):
        threading.Thread(target=_until_the_driver_ends, daemon=True).start()

    import torch

    from harness.store import Store

    threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    if threads:
        torch.set_num_threads(threads)
    told = 0.0

    def progress(**content: Any) -> None:
        nonlocal told
        if time.monotonic() - told > PROGRESS_S:
            told = time.monotonic()
            _write(outcome, {"event": "progress", **content})

    event, content = perform(task, Store(given["root"]), log, progress, lambda: bool(asked))
    content.pop("leaving", None)
    content.pop("peer", None)
    if os.environ.get("RANK", "0") == "0":
        _write(outcome, {"event": event, **content})
    return CODES[event]


def _write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all. Not synced: the artifact says that a stage is done."""
    aside = path.with_name(f"_{path.name}.{os.getpid()}")
    try:
        aside.write_text(json.dumps(content))
        os.replace(aside, path)
    except OSError as error:
        print(files.explain(error, path), file=sys.stderr)


def _until_the_driver_ends() -> None:
    while os.read(0, 4096):
        pass
    os._exit(3)


if __name__ == "__main__":
    ended = main(sys.argv[1])
    from harness.stages.tracking import leave

    leave(ended)
