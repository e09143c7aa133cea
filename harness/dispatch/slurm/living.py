"""A stage that was given to SLURM and is not known to be over."""

from __future__ import annotations

from dataclasses import dataclass

from harness.dispatch.ledger import Attempt
from harness.dispatch.slurm.batch import Place
from harness.plan.stages import Task


@dataclass(frozen=True)
class Living:
    """One stage in flight. Changed by `dataclasses.replace`, in the one table of SlurmJobs."""

    task: Task
    attempt: Attempt
    spoke: bool = False  # had its task written anything when it was adopted?
    read_ns: int = 0  # the time of its state file when that was last read
    gone: float | None = None  # when its job was first seen to be over, by time.monotonic
    reason: str = ""  # why it does not run

    @property
    def key(self) -> str:
        """Key of its stage."""
        return self.task.key

    @property
    def place(self) -> Place:
        """Its batch and array element."""
        assert self.attempt.batch is not None and self.attempt.index is not None
        return self.attempt.batch, self.attempt.index
