"""Executors: `dispatch.executor` in a study. What starts, watches and stops attempts at stages.

Two policies: "pool" (workers that live and die with the driver; the driver hands out one stage
after another) and "queue" (jobs that outlive it: launch, leave, reconcile).
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.components.base import Component

BUILT_IN = {
    "local": "harness.dispatch.components:Local",
    "slurm": "harness.dispatch.slurm.component:Slurm",
}


class Executor(Component):
    """Where stages run. Nothing of it is in any key."""

    kind: ClassVar[str] = "executor"
    policy: ClassVar[Literal["pool", "queue"]]

    @abstractmethod
    def open(self, root: Path, study: Any) -> Any:
        """A running executor (see harness.dispatch.executor for what the driver asks of it).

        root: the results folder; study: the checked study (harness.spec.study.Study).
        """

    def check(self, study: Any) -> list[str]:
        """What of this machine or cluster stands in the way, as sentences."""
        return []

    def describe(self, study: Any) -> str:
        """What runs where, and how much of it at once: a sentence for `plan`."""
        return f"by the executor {self.name}"
