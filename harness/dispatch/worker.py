"""A warm local worker: imports torch once, then runs the stages it is sent.

    python -m harness.dispatch.worker ROOT

Messages are JSON lines. In: {"run": TASK, "log": PATH} and {"stop": true}. Out: ready, progress,
done, stopped, failed. The pipes are the worker's life line: when the driver dies, even by SIGKILL,
standard input closes and the worker exits at once. Whatever a stage prints goes to its log.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from harness.errors import HarnessError


def main(root: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C means
    out = os.fdopen(os.dup(1), "w", buffering=1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    stop = threading.Event()
    inbox: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(inbox, stop), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def send(event: str, **content: Any) -> None:
        try:
            out.write(json.dumps({"event": event, **content}) + "\n")
        except OSError:
            os._exit(3)  # the driver is gone

    import torch

    from harness.plan.stages import Task
    from harness.stages.execute import classify, execute
    from harness.stages.work import Stopped
    from harness.store import Store

    threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    if threads:
        torch.set_num_threads(threads)
    store = Store(root)
    send("ready", pid=os.getpid())
    while True:
        message = inbox.get()
        task = Task.from_json(json.dumps(message["run"]))
        with _logging_to(Path(message["log"])):
            print(f"{time.strftime('%F %T')} {task.kind} {task.label} key {task.key}", flush=True)
            last = [0.0]

            def progress(key: str = task.key, last: list[float] = last, **state: Any) -> None:
                now = time.monotonic()
                if now - last[0] > 0.5:
                    last[0] = now
                    send("progress", key=key, **state)

            try:
                ours = execute(task, store, progress, stop.is_set)
                print(f"{time.strftime('%F %T')} committed", flush=True)
                send("done", key=task.key, ours=ours)
            except Stopped as error:
                print(f"stopped: {error}", flush=True)
                send("stopped", key=task.key, message=str(error))
            except BaseException as error:
                if isinstance(error, HarnessError):
                    print(f"{type(error).__name__}: {error}", flush=True)
                else:
                    traceback.print_exc()
                kind = classify(error)
                send("failed", key=task.key, failure=kind, message=_short(error))
        sys.stderr.flush()


def _short(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, HarnessError) else f"{type(error).__name__}: {text}"


def _listen(inbox: queue.Queue[dict[str, Any]], stop: threading.Event) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("stop"):
            stop.set()
        else:
            inbox.put(message)
    os._exit(3)  # end of input: the driver is gone


@contextlib.contextmanager
def _logging_to(path: Path) -> Any:
    """Send both output streams (of C libraries too) to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    saved = os.dup(2)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(saved, 2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        for fd in (handle, saved, null):
            os.close(fd)


if __name__ == "__main__":
    main(sys.argv[1])
