"""Executors: `dispatch.executor` in a study. What starts, watches and stops attempts at stages.

Two policies: "pool" (workers that live and die with the driver; the driver hands out one stage
after another) and "queue" (jobs that outlive it: launch, leave, reconcile).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.components.base import Component

BUILT_IN = {
    "local": "harness.dispatch.components:Local",
    "slurm": "harness.dispatch.slurm.component:Slurm",
}


@dataclass(frozen=True)
class Share:
    """The resources that a queue gives one task of a stage kind."""

    devices: int  # GPUs, on all its nodes
    processes: int = 1  # that do a stage together
    stages: int = 1  # that a task does one after another, at most
    minutes: float = 60.0  # its time limit


class Executor(Component):
    """Where stages run. Nothing of it is in any key."""

    kind: ClassVar[str] = "executor"
    policy: ClassVar[Literal["pool", "queue"]]
    title: ClassVar[str] = ""  # in sentences, where that is not its name

    @classmethod
    def called(cls) -> str:
        """Its name in a sentence."""
        return cls.title or cls.name

    @abstractmethod
    def open(self, root: Path, study: Any) -> Any:
        """A running executor (see harness.dispatch.executor for what the driver asks of it).

        root: the results folder; study: the checked study (harness.spec.study.Study).
        """

    def check(self, study: Any) -> list[str]:
        """Sentences that name what this machine or cluster lacks; empty: nothing."""
        return []

    def check_results(self, root: Path) -> list[str]:
        """Sentences that say why it cannot work in the results folder `root`; empty: it can."""
        return []

    def describe(self, study: Any) -> str | None:
        """A sentence for `plan`: where stages run, and how many at once. None: nothing to say."""
        return None

    def processes(self, study: Any, kind: str) -> int:
        """How many processes do one stage of a kind together."""
        return 1

    # --- of a queue -----------------------------------------------------------------------------

    def reachable(self) -> bool:
        """Can it be asked on this machine what became of its jobs?"""
        return True

    def watch(self, root: Path, study: Any) -> Any:
        """A running executor that is only asked questions, by a caller that waits for the
        answers."""
        return self.open(root, study)

    def share(self, study: Any, kind: str) -> Share | None:
        """The resources of one task of a stage kind; None where no budget is kept."""
        return None

    def printed(self, root: Path, batch: str, index: int | None) -> Path | None:
        """The file that holds what a task said outside its stages; None when it said nothing."""
        return None
