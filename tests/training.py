"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.plan.stages import Task

Laboratory = Any  # conftest.py's; pytest gives it without an import


FILES = ("ema.safetensors", "state.safetensors")


def content(laboratory: Laboratory, task: Task) -> dict[str, bytes]:
    return {name: (laboratory.folder(task) / name).read_bytes() for name in FILES}


def checkpoints_of(laboratory: Laboratory, task: Task) -> list[Path]:
    return sorted(laboratory.store.scratch(task.key).glob("step-*"))


def stop_after(calls: int) -> Any:
    """A `stopping` that says yes from its n-th call on."""
    count = [0]

    def stopping() -> bool:
        count[0] += 1
        return count[0] >= calls

    return stopping


KILLED = """
import glob, os, signal, sys, time
import torch; torch.set_num_threads(1)
from harness.plan.stages import Task
from harness.stages.execute import execute
from harness.store import Store
left = [int(sys.argv[3])]
def stopping():
    left[0] -= 1
    if left[0] == 0:
        until = time.monotonic() + 300  # a thread writes checkpoints: let one become durable
        while not glob.glob(sys.argv[1] + "/scratch/*/step-*") and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGKILL)
    return False
execute(Task.from_json(open(sys.argv[2]).read()), Store(sys.argv[1]), stopping=stopping)
"""
