"""What the driver asks of whatever runs stages: the contract of a running executor.

Two policies. With `pool` the stages live and die with the driver (warm workers, subprocesses): the
driver starts one when there is room for it. With `queue` they outlive it (a cluster): the driver
hands over all it can, may leave, and finds them again.

A new executor subclasses `PoolExecutor` or `QueueExecutor` and inherits what it does not define
itself; `harness.testing.executor` holds the laws that every one of them keeps.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from harness.dispatch.ledger import Attempt
from harness.dispatch.remedies import Remedy
from harness.plan.stages import Task


@dataclass(frozen=True)
class Event:
    """Something that happened to a stage.

    event: progress, or how its attempt ended:
        done     its artifact is committed; content: ours (did this attempt commit it?)
        stopped  it was asked to, and has saved its progress; message
        failed   failure (a class of harness.dispatch.failures), message
        lost     it never began, or was cancelled with something it needs; message
    Progress and ends may have `used`: {devices, joules} so far (harness.dispatch.energy).
    A `note` (key "") is a sentence for the terminal: text.
    """

    event: str
    key: str
    content: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """Where a stage that a queue was given stands, for people.

    state: running, queued, done, again (failed, and to be tried again) or waiting (never begun, or
    cancelled).
    """

    state: str
    reason: str = ""
    progress: dict[str, Any] | None = None
    note: str | None = None  # about the queue itself, for all its stages

    @staticmethod
    def ended(event: Event) -> Look:
        """The look of an attempt that is over, although the ledger does not say so."""
        message = str(event.content.get("message") or "")
        if event.event == "done":
            return Look("done")
        if event.event == "failed":
            return Look("again", f"{event.content.get('failure')}: {message}")
        return Look("waiting", f"{event.event}: {message}")


class Pace:
    """How long a stage will take, from its progress since its first report."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None  # when, and what was done

    def tell(self, content: dict[str, Any], now: float) -> None:
        """Put `left_s`, seconds, into progress (`done` of `total`) once something was done."""
        done, total = content.get("done"), content.get("total")
        if done is None or total is None:
            return
        since, before = self._first = self._first or (now, done)
        if done > before:
            content["left_s"] = (now - since) * max(0, total - done) / (done - before)


class Executor(Protocol):
    """Runs stages somewhere."""

    policy: Literal["pool", "queue"]

    def start(self, task: Task, attempt: Attempt) -> None:
        """Begin a stage. Its end arrives as an event; what it prints goes to `attempt.log`."""

    def poll(self, timeout: float) -> list[Event]:
        """Events since the last call; waits for one, but never longer than `timeout` seconds."""

    def stop(self) -> None:
        """Ask running stages to save their progress and end."""

    def cancel(self, keys: Iterable[str]) -> Any:
        """Ask the stages of these keys to save their progress and end."""

    def close(self) -> None:
        """End every process that this driver started. A second call does nothing."""


class PoolExecutor(Executor, Protocol):
    """An executor whose stages end with the driver, in places that are free or not."""

    policy: Literal["pool", "queue"] = "pool"
    # Do `fits` and `start` take `alone=True`, for a stage that ran out of memory and is to have its
    # device to itself until it ends? Without, nothing at all runs beside such a stage.
    isolates: bool = False

    def free(self) -> int:
        """How many places are free now."""

    def fits(self, task: Task) -> bool:
        """Would it take this stage now? Where stages take more than one place."""
        return self.free() > 0


class QueueExecutor(Executor, Protocol):
    """An executor whose stages outlive the driver: a cluster's queue."""

    policy: Literal["pool", "queue"] = "queue"

    @property
    def retries(self) -> Mapping[str, int]:
        """Tries after the first, by class of failure, where not the default."""
        return {}

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
        """Take up an earlier driver's attempt. None: it lives. Else how it ended."""

    def trouble(self) -> str | None:
        """Why it does not answer now; None while it does."""
        return None

    def look(self, task: Task, attempt: Attempt) -> Look:
        """Where an attempt stands, for people; changes nothing."""
        event = self.adopt(task, attempt)
        return Look("queued") if event is None else Look.ended(event)

    def remedy(self, attempt: Attempt, failure: str, message: str) -> Remedy | None:
        """What another try has that the failed attempt did not have; None: not known."""
        return None

    def ran(self, key: str) -> float | None:
        """Seconds that a stage in flight has run, by its last report."""
        return None

    def used(self, key: str) -> Mapping[str, Any]:
        """What a stage in flight has used, by its last report: devices (GPUs) and joules."""
        return {}

    def begun(self, key: str) -> bool:
        """Has a stage in flight reported that it began?"""
        return self.ran(key) is not None

    def foreign(self, known: Container[str]) -> list[str]:
        """Living jobs of this study whose keys are not `known`, as sentences."""
        return []
