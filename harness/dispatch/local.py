"""Local workers: one process per GPU, or per `threads` CPU cores, kept warm over many stages.

A stage that crashes takes its worker with it and nothing else; a new worker takes its place, and
how the old one ended (killed, out of memory, a crash in C) is added to the stage's log.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.dispatch.executor import Event, PoolExecutor
from harness.dispatch.ledger import Attempt, tail
from harness.errors import Missing
from harness.plan.stages import Task
from harness.spec.schema import DispatchSettings

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
MOST_CPU_WORKERS = 8  # each holds torch and its own copy of the data, about 0.5 GB


def gpus() -> list[str]:
    """Ids of the visible NVIDIA GPUs, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [g for g in visible.split(",") if g.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.split()


def cores() -> int:
    """CPU cores this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def layout(settings: DispatchSettings) -> list[dict[str, str]]:
    """The environment of each worker: which GPU, how many threads."""
    found = gpus() if settings.device in ("auto", "cuda") else []
    if found:
        count = settings.workers or len(found)
        threads = settings.threads or max(1, cores() // count)
        chosen = [{"CUDA_VISIBLE_DEVICES": found[i % len(found)]} for i in range(count)]
    else:
        threads = settings.threads or 1
        count = settings.workers or max(1, min(MOST_CPU_WORKERS, cores() // threads))
        chosen = [{} for _ in range(count)]
    return [{**env, **dict.fromkeys(THREAD_VARIABLES, str(threads))} for env in chosen]


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for want of memory, in this container or any."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


class _Worker:
    """One process, its pipes, and the stage it has."""

    def __init__(self, root: Path, environment: dict[str, str], log: Path) -> None:
        self.environment, self.log = environment, log
        self.ready = self.leaving = False
        self.killed_before = 0  # out_of_memory_kills() when its stage began
        self.stage_log = ""
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "harness.dispatch.worker", str(root)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C is the driver's to handle
            )
        self.key: str | None = None
        self.buffer = b""

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its death comes as an event
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()


class LocalWorkers(PoolExecutor):
    """An Executor over warm worker processes on this machine."""

    def __init__(self, root: Path, settings: DispatchSettings) -> None:
        self.root = Path(root)
        self.waiting = layout(settings)  # environments without a process yet
        self.size = len(self.waiting)
        self.workers: list[_Worker] = []
        self.selector = selectors.DefaultSelector()
        self.spawned = 0

    def free(self) -> int:
        return self.size - sum(w.key is not None or w.leaving for w in self.workers)

    def start(self, task: Task, attempt: Attempt) -> None:
        idle = (w for w in self.workers if w.key is None and not w.leaving)
        worker = next(idle, None) or self._spawn()
        worker.key, worker.stage_log = task.key, attempt.log
        worker.killed_before = out_of_memory_kills()
        worker.send({"run": json.loads(task.to_json()), "log": attempt.log})

    def _spawn(self) -> _Worker:
        environment = self.waiting.pop(0)
        log = self.root / "logs" / f"worker-{os.getpid()}-{self.spawned}.log"
        self.spawned += 1
        worker = _Worker(self.root, environment, log)
        assert worker.process.stdout is not None
        os.set_blocking(worker.process.stdout.fileno(), False)
        self.selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
        self.workers.append(worker)
        return worker

    def poll(self, timeout: float) -> list[Event]:
        events: list[Event] = []
        for found, _ in self.selector.select(timeout):
            worker: _Worker = found.data
            data = os.read(found.fd, 1 << 16)
            if not data:
                events += self._bury(worker)
                continue
            *lines, worker.buffer = (worker.buffer + data).split(b"\n")
            for line in lines:
                try:
                    message = json.loads(line)
                except ValueError:  # printed while Python started, before the pipe was ours
                    continue
                event, key = message.pop("event"), message.pop("key", None)
                worker.ready = True
                worker.leaving |= message.pop("leaving", False)
                if event in ("done", "stopped", "failed"):
                    worker.key = None
                if key is not None:
                    events.append(Event(event, key, message))
        return events

    def _bury(self, worker: _Worker) -> list[Event]:
        """A worker died: its stage is lost, its place is free for a new process."""
        self.selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
        code = worker.process.wait()
        self.workers.remove(worker)
        self.waiting.append(worker.environment)
        self._tidy(worker)
        if code > 0 and not worker.ready:
            said = tail(worker.log)
            raise Missing(
                f"workers cannot start here: the first one ended with exit code {code}\n"
                + "".join(f"  | {line}\n" for line in said.splitlines())
                + f"its log: {worker.log}"
            )
        if worker.key is None:
            return []
        if code in (0, -signal.SIGTERM):  # asked to end just when it was given the stage
            return [Event("lost", worker.key, {"message": "its worker was asked to end"})]
        failure, cause = "killed", f"its worker ended with exit code {code}"
        if code < 0:
            cause = f"its worker was killed by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            if out_of_memory_kills() > worker.killed_before:
                failure = "out of memory"
                cause += ": the kernel was out of memory (fewer --workers need less)"
            else:
                cause += " (by somebody, or by a limit on memory: see `dmesg`)"
        with contextlib.suppress(OSError), open(worker.stage_log, "a") as log:
            print(f"{time.strftime('%F %T')} {cause}", file=log)
        return [Event("failed", worker.key, {"failure": failure, "message": cause})]

    def _tidy(self, worker: _Worker) -> None:
        """A worker that had nothing to say leaves no log."""
        with contextlib.suppress(OSError):
            if worker.log.stat().st_size == 0:
                worker.log.unlink()

    def stop(self) -> None:
        for worker in self.workers:
            worker.send({"stop": None})

    def cancel(self, keys: Iterable[str]) -> None:
        wanted = set(keys)
        for worker in self.workers:
            if worker.key in wanted:
                worker.send({"stop": worker.key})

    def close(self) -> None:
        for worker in self.workers:
            with contextlib.suppress(OSError):
                worker.process.stdin.close()  # type: ignore[union-attr]
        for worker in self.workers:
            try:
                worker.process.wait(5)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            self._tidy(worker)
        self.selector.close()
