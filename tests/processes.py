"""Several processes that do stages together on this machine, without a launcher."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import warm

HERE = Path(__file__).parent

# One rank. It does each job in turn: a task, and after how many looks at `stopping` its rank 1 is
# asked to stop (all must follow), again and again. `sabotage` is code run first, in every rank.
RANK = """
import json, os, sys
import torch; torch.set_num_threads(1)
from harness.plan.stages import Task
from harness.stages.execute import execute
from harness.stages.work import Stopped
from harness.store import Store
told = json.load(open(sys.argv[1]))
exec(told["sabotage"])
for root, text, stops in told["jobs"]:
    task, store = Task.from_json(text), Store(root)
    for stop in [*stops, None]:
        left = [stop]
        def stopping():
            if left[0] is None or os.environ["RANK"] != "1":
                return False
            left[0] -= 1
            return left[0] < 0
        try:
            execute(task, store, stopping=stopping)
        except Stopped as stopped:
            print(stopped, flush=True)
"""


def free_port() -> int:
    """A port nobody listens at, outside the range that connections take theirs from."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as server:
            try:
                server.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Ended:
    """How the processes ended."""

    def __init__(self, codes: list[int], outputs: list[str], ends: list[float]) -> None:
        self.codes = codes  # exit codes by rank
        self.outputs = outputs  # what they printed
        self.ends = ends  # seconds after the start

    def __str__(self) -> str:
        return "\n".join(
            f"--- rank {rank}: exit code {code} after {end:.1f} s\n{output}"
            for rank, (code, output, end) in enumerate(
                zip(self.codes, self.outputs, self.ends, strict=True)
            )
        )


def environments(count: int) -> list[dict[str, str]]:
    """What tells each of `count` processes how to find the others."""
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    shared["MASTER_PORT"] = str(free_port())
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def run(folder: Path, code: str, count: int, *arguments: str, limit_s: float = 300) -> Ended:
    """Run Python code in `count` processes that find one another; none is left behind."""
    began = time.monotonic()
    outputs = [folder / f"rank{rank}.out" for rank in range(count)]
    processes = []
    for rank, own in enumerate(environments(count)):
        with open(outputs[rank], "w") as file:
            traced = f"import faulthandler\nfaulthandler.enable()\n{code}"
            processes.append(_forked(own, traced, *arguments, output=file))
    ends = [0.0] * count
    while (running := [p for p in processes if p.poll() is None]) and (
        time.monotonic() - began < limit_s
    ):
        time.sleep(0.05)
        for rank, process in enumerate(processes):
            if process in running:
                ends[rank] = time.monotonic() - began
    for process in running:
        process.send_signal(signal.SIGABRT)  # faulthandler is on: its threads' stacks
        process.wait()
    ended = Ended([p.returncode for p in processes], [o.read_text() for o in outputs], ends)
    assert not running, f"still running after {limit_s} s:\n{ended}"
    return ended


def _forked(
    environment: dict[str, str], code: str, *arguments: str, output: IO[str] | None = None
) -> subprocess.Popen[bytes]:
    """A process that has torch loaded when it begins."""
    return subprocess.Popen(
        [warm.python(), "-c", code, *arguments],
        env={**os.environ, **environment},
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
    )


def fresh(folder: Path, code: str, count: int, *arguments: str) -> Ended:
    """As `run`, in interpreters of their own, each with another order of hashes."""
    outputs = [folder / f"rank{rank}.out" for rank in range(count)]
    processes = []
    for rank, own in enumerate(environments(count)):
        with open(outputs[rank], "w") as file:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", code, *arguments],
                    env={**os.environ, **own, "PYTHONHASHSEED": str(rank)},
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
            )
    try:
        codes = [process.wait(300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return Ended(codes, [o.read_text() for o in outputs], [0.0] * count)


def do(
    folder: Path,
    jobs: list[tuple[str, str, list[int]]],
    count: int = 2,
    sabotage: str = "",
    start: Callable[..., Ended] = run,
) -> Ended:
    """Do jobs (results, task as JSON, when to stop) on `count` processes."""
    told: dict[str, Any] = {"jobs": jobs, "sabotage": sabotage}
    (folder / "jobs.json").write_text(json.dumps(told))
    return start(folder, RANK, count, str(folder / "jobs.json"))


def attempt(
    results: Path,
    task: str,
    count: int,
    *,
    kill_at: Sequence[int | None] = (),
    stop_at: int | None = None,
    read: Path | None = None,
    limit_s: float = 400,
) -> list[int]:
    """One attempt of a task (JSON) on `count` processes; their exit codes, 3 for Stopped.

    kill_at: at which look at `stopping` each rank kills itself; the others are killed then, as
    torchrun and srun do. stop_at: at which look rank 1 is asked to stop. read: a folder for what
    each rank reads, a line of JSON [step, images] per step.
    """
    began, processes = time.monotonic(), []
    for rank, environment in enumerate(environments(count)):
        kill = kill_at[rank] if kill_at else None
        stop = stop_at if rank == count - 1 else None
        given = (str(results), task, kill, stop, str(read) if read else None)
        processes.append(_forked(environment, ONE_RANK, str(HERE), json.dumps(given)))
    while any(p.poll() is None for p in processes):
        late = time.monotonic() - began > limit_s
        if late or any(p.poll() not in (None, 0, 3) for p in processes):
            for process in processes:
                process.kill()
        time.sleep(0.05)
    assert time.monotonic() - began < limit_s, "the processes hung"
    return [p.returncode for p in processes]


ONE_RANK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import processes
processes.rank(*json.loads(sys.argv[2]))
"""


def rank(results: str, text: str, kill: int | None, stop: int | None, read: str | None) -> None:
    """What one process of an attempt does."""
    import torch

    torch.set_num_threads(1)
    from harness.plan.stages import Task
    from harness.stages.execute import execute
    from harness.stages.work import Stopped
    from harness.store import Store

    if read is not None:
        _note_what_is_read(Path(read) / f"rank{os.environ['RANK']}.jsonl")
    looks = 0

    def stopping() -> bool:
        nonlocal looks
        looks += 1
        if looks == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return stop is not None and looks >= stop

    try:
        execute(Task.from_json(text), Store(results), stopping=stopping)
    except Stopped:
        sys.exit(3)


def _note_what_is_read(path: Path) -> None:
    """Write down each step's images of this process. In a process of its own: nothing is undone."""
    from harness.data.latents import Latents
    from harness.stages import train

    draws, batch, steps = train.training_draws, Latents.batch, [-1]

    def drawn(seed: int, step: int, *arguments: Any) -> Any:
        steps[0] = step
        return draws(seed, step, *arguments)

    def noted(self: Latents, indices: Any, *arguments: Any) -> Any:
        with open(path, "a") as file:
            file.write(json.dumps([steps[0], [int(i) for i in indices]]) + "\n")
        return batch(self, indices, *arguments)

    train.training_draws, Latents.batch = drawn, noted  # type: ignore[assignment, method-assign]
