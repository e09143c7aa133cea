"""The policy of executors whose stages outlive the driver: launch, leave, reconcile.

Everything is handed over as early as the queue takes it, children after their parents; a stopped
driver leaves it there, the next one adopts it. A failure that may pass is tried again as its class
allows. An error of the code or of the input is tried again only when something has changed that may
have caused it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from harness.dispatch import failures
from harness.dispatch.circumstances import changed, circumstances
from harness.dispatch.executor import QueueExecutor
from harness.dispatch.failures import Verdict
from harness.dispatch.ledger import Attempt, measured
from harness.dispatch.policy import Driving, Policy
from harness.plan.plan import Stage

CALLED_OFF = "taken out of the queue: all that needs it is behind a failed stage"


class Queue(Policy):
    """Stages are given to a queue, and go on when the driver has left."""

    outlives = True

    def __init__(self, driver: Driving) -> None:
        super().__init__(driver)
        self.executor = cast(QueueExecutor, driver.executor)
        self._notes: list[str] = []

    def not_again(self, failed: Mapping[str, Attempt]) -> dict[str, Attempt]:
        plan, kept = self.driver.plan, {}
        reasons: dict[str, int] = {}
        for key, attempt in failed.items():
            if attempt.failure not in failures.OWN:
                continue
            now = circumstances(plan, plan.task(self.driver.agenda.stages[key]))
            different = changed(attempt, now)
            if different:
                reason = " and ".join(different)
                reasons[reason] = reasons.get(reason, 0) + 1
            else:
                kept[key] = attempt
        for reason, count in reasons.items():
            stages = "stage that failed is" if count == 1 else "stages that failed are"
            self._notes.append(f"{count:,} {stages} tried again: {reason} changed since")
        return kept

    def begin(self, latest: Mapping[str, Attempt]) -> list[str]:
        driver = self.driver
        for key, last in latest.items():
            if last.state == "running" and last.batch and key in driver.agenda.waiting:
                self._adopt_running(driver.agenda.waiting[key], last)
        return self._notes + self.executor.foreign(driver.plan.stages)

    def start_ready(self) -> None:
        self._call_off()
        self.launch(self.chain())

    def _call_off(self) -> None:
        """Take out of the queue what is not begun there and leads to failed stages alone."""
        driver, agenda = self.driver, self.driver.agenda
        keys = [k for k in agenda.idle if k in agenda.running and not self.executor.begun(k)]
        agenda.idle.clear()
        for key in keys:  # written down first: a task looks here before each stage
            driver.ledger.end(agenda.running[key], "stopped", "stopped", CALLED_OFF)
        if keys:
            self.executor.cancel(keys)
        for key in keys:
            agenda.hold(key)
            driver.ledger.release(key)
            driver.watch("stopped", agenda.stages[key], {"message": CALLED_OFF})

    def chain(self) -> list[Stage]:
        """What can be submitted: a cluster starts a stage once those it needs are done, so all
        whose needs are done, in the queue, or chosen here. They are claimed."""
        agenda = self.driver.agenda
        free: float = self.executor.free()  # tasks; some stages share one, `place` sees which
        if free <= 0:
            return []
        now = self.driver.now()
        chosen: list[Stage] = []
        coming = agenda.done | agenda.given | agenda.running.keys()
        for key, stage in sorted(agenda.waiting.items(), key=lambda item: agenda.order[item[0]]):
            if free <= 0:
                break
            if agenda.not_before.get(key, 0.0) > now or not stage.needs <= coming:
                continue
            if key not in agenda.waiting:  # behind one that was found to have failed just now
                continue
            if self.driver.take(stage):
                chosen.append(stage)
                coming.add(key)
                free -= 1 / self.executor.pack(stage.kind)
            elif key in agenda.done or key in agenda.running:
                coming.add(key)
        return chosen

    def launch(self, stages: list[Stage]) -> None:
        """Write down where each of them will run, then submit."""
        if not stages:
            return
        places = self.executor.place([self.driver.plan.task(s) for s in stages])
        for stage in stages[len(places) :]:  # they wait for room
            self.driver.ledger.release(stage.key)
        for stage, place in zip(stages, places, strict=False):
            self.driver.launch(stage, place)
        self.executor.flush()

    def _adopt_running(self, stage: Stage, last: Attempt) -> None:
        """An attempt that was just read as running, at the beginning: it is only adopted."""
        if not self.driver.ledger.claim(stage.key):
            self.driver.agenda.leave(stage.key)
        elif self.adopt(stage, last):
            self.driver.ledger.release(stage.key)

    def adopt(self, stage: Stage, last: Attempt | None) -> bool:
        if last is None or last.state != "running" or last.batch is None:
            return True
        driver, key = self.driver, stage.key
        event = self.executor.adopt(driver.plan.task(stage), last)
        driver.agenda.started(key, last)
        if event is None:
            driver.watch("start", stage, {"log": last.log, "adopted": True})
            return False
        if event.event in ("stopped", "lost"):  # cancelled, or never submitted: done anew
            last = measured(last, event.content)
            driver.ledger.end(last, event.event, event.event, event.content.get("message"))
            driver.agenda.again(key)
            return True
        driver.happened(event)
        return False

    def settle(
        self, attempt: Attempt, failure: str, message: str | None
    ) -> tuple[Attempt, Verdict]:
        limits = self.executor.retries
        remedy = self.executor.remedy(attempt, failure, message or "")
        ledger = self.driver.ledger
        return failures.settle(ledger, attempt, failure, message, limits, remedy=remedy)

    def give_back(self, reason: str) -> None:
        for key in self.executor.unsubmitted():
            self._undo(key, reason)
