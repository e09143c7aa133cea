"""Several processes that do stages together on this machine, without a launcher."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def run(folder: Path, code: str, count: int, *arguments: str, limit_s: float = 200) -> Ended:
    """Run Python code in `count` processes that find one another; none is left behind."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    began = time.monotonic()
    outputs = [folder / f"rank{rank}.out" for rank in range(count)]
    processes = []
    for rank, output in enumerate(outputs):
        # A hash seed each: no exchange may depend on the order of a set of names.
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONHASHSEED": str(rank)}
        with open(output, "w") as file:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", code, *arguments],
                    env={**environment, **own},
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
            )
    ends = [0.0] * count
    while (running := [p for p in processes if p.poll() is None]) and (
        time.monotonic() - began < limit_s
    ):
        time.sleep(0.05)
        ends = [
            end if process not in running else time.monotonic() - began
            for end, process in zip(ends, processes, strict=True)
        ]
    for process in running:
        process.send_signal(signal.SIGABRT)  # with faulthandler on, its threads' stacks
        process.wait()
    ended = Ended([p.returncode for p in processes], [o.read_text() for o in outputs], ends)
    assert not running, f"still running after {limit_s} s:\n{ended}"
    return ended


def do(
    folder: Path, jobs: list[tuple[str, str, list[int]]], count: int = 2, sabotage: str = ""
) -> Ended:
    """Do jobs (results, task as JSON, when to stop) on `count` processes."""
    told: dict[str, Any] = {"jobs": jobs, "sabotage": sabotage}
    (folder / "jobs.json").write_text(json.dumps(told))
    return run(
        folder,
        "import faulthandler; faulthandler.enable()\n" + RANK,
        count,
        str(folder / "jobs.json"),
    )


FORKED = multiprocessing.get_context("forkserver")  # imports torch once for many short attempts
FORKED.set_forkserver_preload(
    # the last two are what torch imports when a model is first optimised and exchanged
    ["harness.stages.train", "harness.stages.execute", "torch._dynamo", "torch.distributed.fsdp"]
)


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
    port, began = free_port(), time.monotonic()
    processes = []
    for rank in range(count):
        environment = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        kill = kill_at[rank] if kill_at else None
        stop = stop_at if rank == count - 1 else None
        given = (environment, str(results), task, kill, stop, str(read) if read else None)
        processes.append(FORKED.Process(target=_forked_rank, args=given, daemon=True))
    for process in processes:
        process.start()
    while any(p.is_alive() for p in processes):
        late = time.monotonic() - began > limit_s
        if late or any(p.exitcode is not None and p.exitcode not in (0, 3) for p in processes):
            for process in processes:
                process.kill()
        for process in processes:
            process.join(0.05)
    assert time.monotonic() - began < limit_s, "the processes hung"
    return [int(p.exitcode or 0) for p in processes]


def _forked_rank(
    environment: dict[str, str],
    results: str,
    text: str,
    kill: int | None,
    stop: int | None,
    read: str | None,
) -> None:
    os.environ.update(environment)
    import torch

    torch.set_num_threads(1)
    from harness.plan.stages import Task
    from harness.stages.execute import execute
    from harness.stages.work import Stopped
    from harness.store import Store

    if read is not None:
        _note_what_is_read(Path(read) / f"rank{environment['RANK']}.jsonl")
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
