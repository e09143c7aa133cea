"""What the driver asks of whatever runs stages: local workers, or a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.dispatch.ledger import Attempt
from harness.plan.stages import Task


@dataclass(frozen=True)
class Event:
    """Something that happened to a stage: progress, done, stopped, failed, lost."""

    event: str
    key: str
    content: dict[str, Any] = field(default_factory=dict)


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

    def close(self) -> None:
        """End everything that lives in this process's name."""
