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
