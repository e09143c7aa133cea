"""The driver: start what is ready, watch what runs, write down how it ended.

One loop for every executor. A stage is done when, and only when, its artifact is committed.
Killed anywhere, the driver leaves a state from which the same command goes on: attempts whose
owner is dead are settled as lost, claims of the dead are broken, and every artifact is either whole
or absent. Two drivers on one study do the work once: each claims a key before starting it, and
looks at the store for those the other has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from harness.dispatch.executor import Event, Executor
from harness.dispatch.ledger import Attempt, Ledger
from harness.plan.plan import Plan, Stage
from harness.plan.stages import Task
from harness.store import records
from harness.store.artifacts import CorruptArtifact, Store

LOOK_S = 1.0  # between looks at the store for other drivers' work
REFRESH_S = 60.0  # between refreshes of our claims

Watch = Callable[[str, Stage | None, dict[str, Any]], None]


@dataclass
class Standing:
    """Where a study's stages stand."""

    done: set[str]
    missing: list[Stage]
    failed: dict[str, Attempt]
    notes: list[str] = field(default_factory=list)


def standing(plan: Plan, stages: Iterable[Stage], store: Store, ledger: Ledger) -> Standing:
    """What is done, missing and failed, from directory listings; changes nothing."""
    stages = list(stages)
    committed = store.committed({s.kind for s in stages})
    done = {s.key for s in stages if s.key in committed}
    missing = [s for s in stages if s.key not in committed]
    return Standing(done, missing, ledger.failed(s.key for s in missing))


def check_artifacts(stages: Iterable[Stage], done: set[str], store: Store) -> list[str]:
    """Quarantine committed artifacts whose files do not fit their manifest. Returns sentences."""
    notes = []
    for stage in stages:
        if stage.key not in done:
            continue
        try:
            store.open(stage.kind, stage.key, verify=False)
        except CorruptArtifact as error:
            aside = store.quarantine(stage.kind, stage.key)
            done.discard(stage.key)
            notes.append(f"{stage.label}: {error}; moved to {aside}, the stage runs again")
    return notes


class Driver:
    """Runs the missing stages of a plan through an executor."""

    def __init__(
        self,
        plan: Plan,
        stages: list[Stage],
        store: Store,
        ledger: Ledger,
        executor: Executor,
        watch: Watch = lambda event, stage, content: None,
    ) -> None:
        self.plan, self.store, self.ledger = plan, store, ledger
        self.executor, self.watch = executor, watch
        self.stages = {s.key: s for s in stages}
        self.done: set[str] = set()
        self.failed: dict[str, Attempt] = {}
        self.running: dict[str, Attempt] = {}
        self.elsewhere: set[str] = set()
        self.blocked: set[str] = set()
        self.stopping = False
        self.waiting: dict[str, Stage] = {}
        self.weight: dict[str, float] = {}

    # --- the loop -------------------------------------------------------------------------------

    def run(self) -> int:
        """Until nothing is left that can be done. Exit code: 0 done, 1 failed, 3 stopped."""
        now = self.begin()
        looked = refreshed = now
        while self.waiting or self.running or self.elsewhere:
            if not self.stopping:
                self._start_ready()
            if not self.running and not self.elsewhere and (self.stopping or not self.waiting):
                break
            if not self.running and not self.elsewhere and not self._ready():
                break  # the rest waits for stages outside the selection
            for event in self.executor.poll(0.5):
                self._happened(event)
            now = time.monotonic()
            if now - looked > LOOK_S:
                looked = now
                self._look_elsewhere()
            if now - refreshed > REFRESH_S:
                refreshed = now
                self.ledger.refresh(self.running)
            self.watch("tick", None, {})
        return self.finish()

    def begin(self) -> float:
        """Take stock: what is done, damaged, lost or failed before."""
        state = standing(self.plan, self.stages.values(), self.store, self.ledger)
        self.done = state.done
        notes = check_artifacts(self.stages.values(), self.done, self.store)
        self.ledger.settle(self.stages)
        kinds = {s.key: s.kind for s in self.stages.values()}
        notes += records.reconcile(self.store, {key: kinds[key] for key in self.done})
        for note in notes:
            self.watch("note", None, {"text": note})
        self.failed = self.ledger.failed(k for k in self.stages if k not in self.done)
        self.waiting = {
            k: s for k, s in self.stages.items() if k not in self.done and k not in self.failed
        }
        for key in self.failed:
            self._block(key)
        self.weight = self._critical_path()
        return time.monotonic()

    def finish(self) -> int:
        """The exit code."""
        if self.failed:
            return 1
        return 3 if len(self.done) < len(self.stages) else 0

    def stop(self) -> None:
        """Ask running stages to save and end (Ctrl-C); `run` returns when they have."""
        if not self.stopping:
            self.stopping = True
            self.executor.stop()

    # --- steps ----------------------------------------------------------------------------------

    def _critical_path(self) -> dict[str, float]:
        """Gflops of the longest chain that starts with each stage: long chains go first."""
        after: dict[str, list[str]] = {}
        for key, stage in self.stages.items():
            for need in stage.needs:
                after.setdefault(need, []).append(key)
        weight: dict[str, float] = {}
        for key in reversed(list(self.stages)):
            own = self.stages[key].gflops or 0.0
            weight[key] = own + max((weight[k] for k in after.get(key, ())), default=0.0)
        return weight

    def _ready(self) -> list[Stage]:
        ready = [s for s in self.waiting.values() if all(need in self.done for need in s.needs)]
        # What unblocks everything first, then numbers (they are quick), then the longest chain.
        first = {"encode": 0, "reference": 1, "complexity": 2, "evaluate": 3}
        return sorted(ready, key=lambda s: (first.get(s.kind, 4), -self.weight[s.key]))

    def _start_ready(self) -> None:
        free = self.executor.free()
        if free <= 0:
            return
        for stage in self._ready():
            if free <= 0:
                return
            key = stage.key
            if not self.ledger.claim(key):
                self.elsewhere.add(key)
                del self.waiting[key]
                continue
            if self.store.manifest(stage.kind, key) is not None:  # committed just before the claim
                self.ledger.release(key)
                self._finished(key, "found")
                continue
            attempt = self.ledger.begin(key, stage.kind, stage.label)
            del self.waiting[key]
            self.running[key] = attempt
            self.executor.start(self.plan.task(stage), attempt)
            self.watch("start", stage, {"log": attempt.log})
            free -= 1

    def _happened(self, event: Event) -> None:
        stage = self.stages.get(event.key)
        if stage is None or event.key not in self.running:
            return
        if event.event == "progress":
            self.watch("progress", stage, event.content)
            return
        attempt = self.running.pop(event.key)
        if event.event == "done":
            self.ledger.end(attempt, "done")
            self.ledger.release(event.key)
            self._finished(event.key, "done")
        elif event.event == "stopped":
            self.ledger.end(attempt, "stopped", "stopped", event.content.get("message"))
            self.ledger.release(event.key)
            self.watch("stopped", stage, event.content)
        else:
            self._failed(stage, attempt, event.content)

    def _failed(self, stage: Stage, attempt: Attempt, content: dict[str, Any]) -> None:
        ended = self.ledger.end(
            attempt, "failed", content.get("failure", "error"), content.get("message")
        )
        self.ledger.release(stage.key)
        self.failed[stage.key] = ended
        self._block(stage.key)
        self.watch("failed", stage, {"attempt": ended})

    def _finished(self, key: str, how: str) -> None:
        """A committed artifact is there; make sure its records are too."""
        stage = self.stages[key]
        self.waiting.pop(key, None)
        self.elsewhere.discard(key)
        self.done.add(key)
        self.watch(how, stage, {})

    def _block(self, key: str) -> None:
        """Everything downstream of a failed stage cannot run."""
        lost = {key}
        for k, stage in self.stages.items():
            if stage.needs & lost and k not in self.done:
                lost.add(k)
                self.waiting.pop(k, None)
                self.blocked.add(k)

    def _look_elsewhere(self) -> None:
        """Has the other driver finished, or died?"""
        for key in list(self.elsewhere):
            stage = self.stages[key]
            if self.store.manifest(stage.kind, key) is not None:
                records.reconcile(self.store, {key: stage.kind})
                self._finished(key, "found")
            elif self.ledger.holder(key) is None:
                self.elsewhere.discard(key)
                last = self.ledger.failed([key])
                if last:
                    self.failed.update(last)
                    self._block(key)
                elif key not in self.blocked:
                    self.waiting[key] = stage


def tasks(plan: Plan, stages: Iterable[Stage]) -> list[Task]:
    """Tasks of stages, for executors that take many at once."""
    return [plan.task(s) for s in stages]
