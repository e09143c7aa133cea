"""The policy of executors whose stages live and die with the driver: warm workers, subprocesses.

A stage starts when there is a place for it. Its user is at the terminal. So a new run tries every
earlier failure once more, since the cause may be gone. Within a run, a failure that may pass is
tried again after a short pause; an error of the code or of the input is reported at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

from harness.dispatch import failures, given, remedies
from harness.dispatch.executor import Pace, PoolExecutor
from harness.dispatch.failures import Verdict
from harness.dispatch.ledger import Attempt
from harness.dispatch.policy import Driving, Policy
from harness.plan.plan import Stage

ASK_S = 60.0  # between questions to a queue about stages that were given to it
TELL_S = 1.0  # between notes of how far our stages are
LOOK_S = 1.0  # between looks for `harness cancel`
PACE = 0.1  # of the pauses: somebody waits at the terminal
AT_ONCE = dict.fromkeys(failures.OWN, 0)  # reported, and not tried again within the run


class Pool(Policy):
    """Stages run while the driver lives, on as many places as there are."""

    outlives = False

    def __init__(self, driver: Driving) -> None:
        super().__init__(driver)
        self.executor = cast(PoolExecutor, driver.executor)
        self.progress: dict[str, dict[str, Any]] = {}
        self.paces: dict[str, Pace] = {}
        self.alone: set[str] = set()  # out of memory: the next try has its device to itself
        self.queued: set[str] = set()  # of those elsewhere, what a queue has
        self._ours: set[str] = set()  # attempts
        self._told = self._looked = 0.0
        self._asked = float("-inf")

    def check(self, latest: Mapping[str, Attempt]) -> None:
        given.settle(self.driver.plan, self.driver.ledger, latest)

    def not_again(self, failed: Mapping[str, Attempt]) -> dict[str, Attempt]:
        return {}

    def begin(self, latest: Mapping[str, Attempt]) -> list[str]:
        before = self.driver.before
        if not before:
            return []
        count = f"{len(before):,} {'stage' if len(before) == 1 else 'stages'}"
        last = max(a.ended or a.started for a in before.values())
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(last))
        self.alone = {k for k, a in before.items() if a.failure == "out of memory"}
        return [f"{count} failed before (the last on {when}): tried once more"]

    def start_ready(self) -> None:
        driver = self.driver
        if self.executor.free() <= 0:
            return
        for stage in driver.agenda.ready(driver.now()):
            alone = stage.key in self.alone
            if not self._room(stage, alone):
                break  # smaller ones must not keep a larger one waiting for ever
            if driver.take(stage):
                driver.launch(stage, **self._how(alone))
                self._ours.add(driver.agenda.running[stage.key].id)

    def _room(self, stage: Stage, alone: bool) -> bool:
        running = self.driver.agenda.running
        task = self.driver.plan.task(stage)
        if self.executor.isolates:
            return self.executor.fits(task, **self._how(alone))
        if running and (alone or self.alone & running.keys()):
            return False
        return self.executor.fits(task)

    def _how(self, alone: bool) -> dict[str, bool]:
        """For executors that know what lies on one device; the others have it all to themselves."""
        return {"alone": True} if alone and self.executor.isolates else {}

    def adopt(self, stage: Stage, last: Attempt | None) -> bool:
        if not given.may_live(last):
            return True
        self.driver.ledger.release(stage.key)  # since we began: a queue's has the same scratch
        self.driver.agenda.leave(stage.key)
        self.queued.add(stage.key)
        return False

    def settle(
        self, attempt: Attempt, failure: str, message: str | None
    ) -> tuple[Attempt, Verdict]:
        limits: dict[str, int] = {**AT_ONCE, **self.driver.plan.study.settings.dispatch.retries}  # type: ignore[dict-item]
        remedy = None
        if failure == "out of memory":
            remedy = remedies.here(attempt.kind, message or "", attempt.key in self.alone)
            self.alone.add(attempt.key)
        return failures.settle(
            self.driver.ledger,
            attempt,
            failure,
            message,
            limits,
            counts=lambda before: before.id in self._ours,  # of this run
            pace=PACE,
            remedy=remedy,
        )

    def told(self, key: str, content: dict[str, Any]) -> None:
        self.paces.setdefault(key, Pace()).tell(content, self.driver.now())
        self.progress[key] = content

    def over(self, key: str) -> None:
        self.progress.pop(key, None)
        self.paces.pop(key, None)

    def tick(self, now: float) -> None:
        ledger = self.driver.ledger
        if now - self._told > TELL_S:
            self._told = now
            ledger.tell(self.progress)
        if now - self._looked > LOOK_S:
            self._looked = now
            last = [ledger.read(attempt) for attempt in self.driver.agenda.running.values()]
            cancelled = [a.key for a in last if a.state == "stopped"]
            if cancelled:
                self.executor.cancel(cancelled)

    def held_by_queues(self) -> set[str]:
        if self.queued and time.monotonic() - self._asked > ASK_S:
            self._asked = time.monotonic()
            self.queued &= self.driver.agenda.elsewhere
            self.queued = given.still_living(self.driver.plan, self.driver.ledger, self.queued)
        return self.queued

    def give_back(self, reason: str) -> None:
        self.executor.close()
        for key in list(self.driver.agenda.running):
            self._undo(key, reason)
