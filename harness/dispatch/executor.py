"""What the driver asks of whatever runs stages: local workers, or a cluster."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from harness.dispatch.ledger import Attempt
from harness.plan.stages import Task


@dataclass(frozen=True)
class Event:
    """Something that happened to a stage: progress, done, stopped, failed, lost."""

    event: str
    key: str
    content: dict[str, Any] = field(default_factory=dict)


class Pace:
    """How long a stage will take, by how far it came since it first said."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None  # when, and what was done

    def tell(self, content: dict[str, Any], now: float) -> None:
        """Put `left_s`, seconds, into progress (`done` of `total`) once something was done."""
        done, total = content.get("done"), content.get("total")
        if done is None or total is None:
            return
        since, before = self._first = self._first or (now, done)
        if done > before:
            content["left_s"] = (now - since) * (total - done) / (done - before)


class Executor(Protocol):
    """Runs stages somewhere. `poll` never blocks longer than its timeout."""

    def free(self) -> int:
        """How many more stages it would take now."""

    def start(self, task: Task, attempt: Attempt) -> None:
        """Begin a stage; its end comes as an event."""

    def poll(self, timeout: float) -> list[Event]:
        """Events since the last call."""

    def stop(self) -> None:
        """Ask running stages to save their progress and end."""

    def cancel(self, keys: Iterable[str]) -> Any:
        """The same of some of them."""

    def close(self) -> None:
        """End everything that lives in this process's name."""


class JobExecutor(Executor, Protocol):
    """An executor whose stages outlive the driver: a cluster's queue."""

    survives: bool  # True
    retries: Mapping[str, int]  # tries after the first, by class of failure, where not the default

    def free(self) -> int:
        """How many more tasks (array elements) it would take now."""

    def pack(self, kind: str) -> int:
        """The most stages of a kind in one task."""

    def place(self, tasks: list[Task]) -> list[tuple[str, int]]:
        """(unique job name, array element) of each task, to be written down before `start`.

        Of the first of them only, where all would take more elements than are free.
        """

    def flush(self) -> None:
        """Submit what was placed and started. Raises BadInput when the cluster refuses it."""

    def unsubmitted(self) -> list[str]:
        """Keys that were placed and never submitted; the executor forgets them."""

    def adopt(self, task: Task, attempt: Attempt) -> Event | None:
        """Take up an earlier driver's attempt. None: it lives, its end comes as an event."""

    def foreign(self, known: Container[str]) -> list[str]:
        """Living jobs of this study whose keys are not `known`, as sentences."""


def jobs_of(executor: Executor) -> JobExecutor | None:
    """The executor as a JobExecutor, None when its stages die with the driver."""
    return cast(JobExecutor, executor) if getattr(executor, "survives", False) else None
