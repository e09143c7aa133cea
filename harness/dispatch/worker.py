"""A warm local worker: imports torch once, then runs the stages it is sent.

    python -m harness.dispatch.worker ROOT

Messages are JSON lines. In: {"run": TASK, "log": PATH} and {"stop": KEY}, or null for whatever
comes. Out: ready, progress, done, stopped, failed. The pipes are the worker's life line: when the
driver dies, even by SIGKILL, standard input closes and the worker exits at once. Whatever a stage
prints goes to its log, whatever comes between stages to the worker's own.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from harness.errors import HarnessError
from harness.plan.stages import Task
from harness.store import files

if TYPE_CHECKING:
    from harness.store import Store


def main(root: str) -> None:
    """Do stages until told to stop, one after another, for the driver of this results folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C means
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # nothing but messages may reach the driver
    _unbuffered()
    stops: set[str | None] = set()  # keys; None stops all
    inbox: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(inbox, stops), daemon=True).start()
    terminated: list[int] = []

    def terminate(*_: Any) -> None:
        """Save and go; the driver starts another worker."""
        terminated.append(1)
        stops.add(None)
        inbox.put({})

    signal.signal(signal.SIGTERM, terminate)

    def send(event: str, **content: Any) -> None:
        try:
            out.write(json.dumps({"event": event, **content}) + "\n")
        except OSError:
            os._exit(3)  # the driver is gone

    import torch

    from harness.store import Store

    threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    if threads:
        torch.set_num_threads(threads)
    store = Store(root)
    send("ready", pid=os.getpid())
    while True:
        message = inbox.get()
        if terminated:
            return
        task, log = Task.from_json(json.dumps(message["run"])), Path(message["log"])
        last = [0.0]

        def progress(key: str = task.key, last: list[float] = last, **state: Any) -> None:
            now = time.monotonic()
            if now - last[0] > 0.5:
                last[0] = now
                send("progress", key=key, **state)

        def stopping(key: str = task.key) -> bool:
            return None in stops or key in stops

        event, content = perform(task, store, log, progress, stopping)
        send(event, key=task.key, **content)
        if content.get("leaving"):
            return
        stops.discard(task.key)


def perform(
    task: Task,
    store: Store,
    log: Path,
    progress: Callable[..., None],
    stopping: Callable[[], bool],
) -> tuple[str, dict[str, Any]]:
    """One attempt at a stage, with all it prints in its log: done, stopped or failed, and the rest
    of what an executor's event says of it. `leaving`: this process is good for nothing any more."""
    import torch

    from harness.dispatch.energy import metered
    from harness.stages.execute import classify, execute
    from harness.stages.work import Stopped

    if why := begin_log(log, task):
        return "failed", {"failure": "environment", "message": why, "leaving": False}
    with logging_to(log), metered(task) as meter:
        try:
            with contextlib.closing(meter):
                ours = execute(task, store, meter.with_progress(progress), stopping)
            tell(f"{time.strftime('%F %T')} committed")
            return "done", {"ours": ours, **meter.content()}
        except Stopped as error:
            tell(f"stopped: {error}")
            return "stopped", {"message": str(error), **meter.content()}
        except BaseException as error:
            failed = {"failure": classify(error), "message": failure_told(error, log)}
            failed |= meter.content()
            together = os.environ.get("WORLD_SIZE", "1") != "1"
            # After an error a GPU may refuse everything, and ranks do nothing together.
            leaving = torch.cuda.is_initialized() or together  # type: ignore[no-untyped-call]
            return "failed", {**failed, "leaving": leaving, "peer": _by_another(error)}


def _by_another(error: BaseException) -> bool:
    """Did another process of the stage fail first?"""
    return type(error).__name__ == "PeerFailed"


def begin_log(log: Path, task: Task, where: str = "") -> str | None:
    """Write the first line of a stage's log, or say why that cannot be done."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a") as file:  # a full disk lets a file be made, and nothing be written
            print(f"{time.strftime('%F %T')} {task.label} key {task.key}{where}", file=file)
    except OSError as error:
        return str(files.explain(error, log))
    return None


def tell(text: str, stream: TextIO | None = None) -> OSError | None:
    """Print it, or say why that cannot be done: a full disk must not end what comes next."""
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        return error
    return None


def failure_told(error: BaseException, log: Path) -> str:
    """An error's message, after printing the error to the log; with why, where that cannot be."""
    from harness.stages.execute import of_a_full_disk

    known = isinstance(error, HarnessError)
    if not known and of_a_full_disk(error):
        where = getattr(error, "filename", None) or log.parent.parent.parent
        error = files.DiskFull(f"{_short(error)}. {files.FULL.format(path=where)}")
        known = True
    whole = "".join(traceback.format_exception(error))
    full = tell(f"{type(error).__name__}: {error}" if known else whole)
    if full is None or isinstance(error, files.DiskFull):
        return _short(error)
    return f"{_short(error)}; {files.explain(full, log)}"


def _short(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, HarnessError) else f"{type(error).__name__}: {text}"


def _listen(inbox: queue.Queue[dict[str, Any]], stops: set[str | None]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "stop" in message:
            stops.add(message["stop"])
        else:
            inbox.put(message)
    os._exit(3)  # end of input: the driver is gone


def _unbuffered() -> None:
    """Write what was printed to the log, so that a kill in the next moment loses nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    faulthandler.enable()  # a crash in C leaves its Python traceback


@contextlib.contextmanager
def logging_to(path: Path) -> Any:
    """Send both output streams (of C libraries too) to a file, and then back to where they went."""
    _unbuffered()
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # a full disk: the rest goes where it went before
                stream.flush()
        for number, fd in enumerate(saved, 1):
            os.dup2(fd, number)
            os.close(fd)


if __name__ == "__main__":
    main(sys.argv[1])
