"""The argument and the result of every stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from harness.plan.stages import Place, Task
from harness.stages.distributed import World
from harness.store.artifacts import Artifact, Rows


class Stopped(Exception):
    """The stage was asked to stop and has saved its progress."""


@dataclass(frozen=True)
class Work:
    """One execution: where to write, what to read, how to tell."""

    task: Task
    folder: Path  # files written here are committed; of the main process alone
    scratch: Path  # the stage's own, of all its processes; survives until the commit
    inputs: dict[str, Artifact]  # by role; in the key
    after: dict[str, Artifact]  # by role; not in the key
    device: torch.device
    progress: Callable[..., None]  # progress(done=, total=, unit=, loss=, images_per_second=)
    stopping: Callable[[], bool]  # asked to stop?
    world: World = field(default_factory=World)  # the processes that do this together

    @property
    def place(self) -> Place:
        """Where and how the stage is done: nothing of it is in the key."""
        return self.task.place


@dataclass(frozen=True)
class Outcome:
    """The result of a stage, besides its files."""

    result: Any  # of the kind's class in harness.store.results; None of helping processes
    rows: Rows = field(default_factory=dict)  # records
