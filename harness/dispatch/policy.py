"""What differs between executors whose stages end with the driver and those whose live on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from harness.dispatch.agenda import Agenda
from harness.dispatch.executor import Event, Executor
from harness.dispatch.failures import Verdict
from harness.dispatch.ledger import Attempt, Ledger
from harness.errors import HarnessError
from harness.plan.plan import Plan, Stage

Watch = Callable[[str, Stage | None, dict[str, Any]], None]


class Driving(Protocol):
    """What a policy needs of its driver (harness.dispatch.driver, which says what each is)."""

    plan: Plan
    ledger: Ledger
    executor: Executor
    agenda: Agenda
    before: dict[str, Attempt]
    watch: Watch

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def take(self, stage: Stage) -> bool:
        """Claim a stage."""
        ...

    def launch(self, stage: Stage, place: tuple[str, int] | None = None, /, **how: Any) -> None:
        """Write down an attempt at a claimed stage, then start it."""
        ...

    def happened(self, event: Event) -> None:
        """Progress, or the end of an attempt."""
        ...


class Policy:
    """How a driver starts stages, and what it does about earlier ones and about failures."""

    outlives: bool  # do stages go on without the driver?

    def __init__(self, driver: Driving) -> None:
        self.driver = driver
        self.detached = False  # nobody stays to wait

    # --- at the beginning -----------------------------------------------------------------------

    def check(self, latest: Mapping[str, Attempt]) -> None:
        """Raise BadInput when earlier attempts forbid to begin."""

    def not_again(self, failed: Mapping[str, Attempt]) -> dict[str, Attempt]:
        """Those of the earlier failures that are not tried again now."""
        raise NotImplementedError

    def begin(self, latest: Mapping[str, Attempt]) -> list[str]:
        """The agenda is known. Sentences for the terminal."""
        return []

    # --- in the loop ----------------------------------------------------------------------------

    def start_ready(self) -> None:
        """Start what can be started."""
        raise NotImplementedError

    def adopt(self, stage: Stage, last: Attempt | None) -> bool:
        """We have the claim, and `last` is the last attempt. True when the stage is to be started
        anew; False when it lives, or is another's, and the agenda says so."""
        raise NotImplementedError

    def settle(
        self, attempt: Attempt, failure: str, message: str | None
    ) -> tuple[Attempt, Verdict]:
        """Write down a failure: is it tried again?"""
        raise NotImplementedError

    def told(self, key: str, content: dict[str, Any]) -> None:
        """A stage of ours has told its progress."""

    def over(self, key: str) -> None:
        """A stage of ours has ended."""

    def tick(self, now: float) -> None:
        """Once per turn of the loop."""

    def held_by_queues(self) -> set[str]:
        """Those of the stages elsewhere that a queue has without a living driver."""
        return set()

    # --- at the end -----------------------------------------------------------------------------

    def give_back(self, reason: str) -> None:
        """At the end: undo the attempts that cannot go on without this driver."""
        raise NotImplementedError

    def _undo(self, key: str, reason: str) -> None:
        """A stage of ours waits again, as if it had not been started."""
        agenda, ledger = self.driver.agenda, self.driver.ledger
        attempt = agenda.running.pop(key, None)
        if attempt is not None:
            agenda.again(key)
            with contextlib.suppress(HarnessError):  # of a full disk we are told anyway
                ledger.end(attempt, "stopped", "stopped", reason)
            ledger.release(key)
