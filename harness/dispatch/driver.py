"""The driver: start what is ready, watch what runs, write down how it ended.

One loop for every executor. A stage is done when, and only when, its artifact is committed.
Killed anywhere, the driver leaves a state from which the same command goes on: attempts whose
owner is dead are settled as lost, claims of the dead are broken, and every artifact is either whole
or absent. Two drivers on one study do the work once: each claims a key before starting it, and
looks at the store for those the other has.

On a cluster the stages outlive the driver: a stopped driver leaves them, the next one adopts them,
and a failure is tried again as its class allows (harness.dispatch.failures).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from harness.dispatch import failures, preflight
from harness.dispatch.executor import Event, Executor, Pace, jobs_of
from harness.dispatch.ledger import Attempt, Ledger, is_final
from harness.dispatch.standing import check_artifacts, standing
from harness.errors import HarnessError
from harness.plan.plan import Plan, Stage, critical_path
from harness.store import records
from harness.store.artifacts import Store

LOOK_S = 1.0  # between looks at the store for other drivers' work
REFRESH_S = 60.0  # between refreshes of our claims
ASK_S = 60.0  # local workers: between questions to SLURM about stages that were given to it
TELL_S = 1.0  # between notes of how far local workers are
LOST_WAIT_S = 5.0  # until the failure that cancelled a queued stage is known as well

Watch = Callable[[str, Stage | None, dict[str, Any]], None]


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
        self.jobs = jobs_of(executor)
        self.stages = {s.key: s for s in stages}
        self.done: set[str] = set()
        self.failed: dict[str, Attempt] = {}
        self.running: dict[str, Attempt] = {}
        self.elsewhere: set[str] = set()
        self.blocked: set[str] = set()
        self.stopping = False
        self.detached = False
        self.waiting: dict[str, Stage] = {}
        self.weight: dict[str, float] = {}
        self.order: dict[str, int] = {}  # in the plan
        self.not_before: dict[str, float] = {}  # when a failed stage may be tried again
        self.progress: dict[str, dict[str, Any]] = {}  # of stages on local workers
        self.paces: dict[str, Pace] = {}  # of those
        self.told = 0.0
        self.on_slurm: set[str] = set()  # of those elsewhere, where we drive local workers
        self.asked = float("-inf")  # about them
        self.noted: dict[str, Any] = {}

    # --- the loop -------------------------------------------------------------------------------

    def run(self) -> int:
        """Until nothing is left that can be done. Exit code: 0 done, 1 failed, 3 stopped."""
        try:
            looked = refreshed = self.begin()
            while self.waiting or self.running or self.elsewhere:
                if self.stopping and self.jobs:
                    self._give_back("stopped before it was submitted")
                    break
                if not self.stopping:
                    self._start_ready()
                if not self.running and (self.stopping or not (self.waiting or self.elsewhere)):
                    break
                if not self.running and not self.elsewhere and not self._ready(whenever=True):
                    break  # the rest waits for stages outside the selection
                for event in self.executor.poll(0.5):
                    self._happened(event)
                now = time.monotonic()
                if now - looked > LOOK_S:
                    looked = now
                    self._look_elsewhere()
                if now - refreshed > REFRESH_S:
                    refreshed = now
                    self.ledger.refresh()
                if not self.jobs and now - self.told > TELL_S:  # a cluster's tasks tell themselves
                    self.told = now
                    self.ledger.tell(self.progress)
                self.watch("tick", None, {})
        except HarnessError as error:
            self._give_back(str(error))
            raise
        finally:
            self._leave()
        return self.finish()

    def detach(self) -> int:
        """Submit everything that is not done, children after their parents, and return.

        A failed stage is submitted again at once: nobody stays to wait. Exit code: 0 when all of it
        is done or submitted, 1 when failed stages block the rest, 3 when some is still to be
        submitted: the cluster took no more, or dispatch.max_tasks are queued.
        """
        assert self.jobs is not None  # only a cluster's jobs can be left alone
        self.detached = True
        try:
            self.begin()
            self._launch(self._chain())
            for event in self.executor.poll(0.0):  # notes
                self._happened(event)
            self._give_back("the cluster took no more jobs")
        except HarnessError as error:
            self._give_back(str(error))
            raise
        finally:
            self._leave()
        return 1 if self.failed else 3 if self.waiting else 0

    def begin(self) -> float:
        """Take stock: what is done, damaged, lost or failed before."""
        self.ledger.register(self.plan.study.name, self.plan.study.profile)
        state = standing(self.plan, self.stages.values(), self.store, self.ledger)
        self.done = state.done
        notes = check_artifacts(self.stages.values(), self.done, self.store)
        self.ledger.settle_those(state.latest)
        if not self.jobs:
            preflight.settle_jobs(self.plan, self.ledger, state.latest)
        notes += records.reconcile(self.store)
        self.failed = dict(state.failed)
        ended = self.done | self.failed.keys()
        self.waiting = {k: s for k, s in self.stages.items() if k not in ended}
        self._block(self.failed)
        self.weight = critical_path(self.stages)
        self.order = {key: i for i, key in enumerate(self.stages)}
        if self.jobs:
            for key, last in state.latest.items():
                if last.state == "running" and last.batch and key in self.waiting:
                    self._take(self.waiting[key], last)
            notes += self.jobs.foreign(self.plan.stages)
        for note in notes:
            self.watch("note", None, {"text": note})
        return time.monotonic()

    def _give_back(self, reason: str) -> None:
        """What was written down and never submitted did not happen; local workers end with us."""
        if not self.jobs:
            self.executor.close()
        for key in self.jobs.unsubmitted() if self.jobs else list(self.running):
            if key in self.running:
                self.waiting[key] = self.stages[key]
                with contextlib.suppress(HarnessError):  # of a full disk we are told anyway
                    self.ledger.end(self.running.pop(key), "stopped", "stopped", reason)
                self.ledger.release(key)

    def _leave(self) -> None:
        """Jobs go on without us, workers do not: let the next driver have all at once."""
        if self.running and not self.jobs:
            self.executor.close()
        self.ledger.leave()

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

    def _ready(self, whenever: bool = False) -> list[Stage]:
        ready = [s for s in self.waiting.values() if all(need in self.done for need in s.needs)]
        if self.not_before and not whenever:
            now = time.time()
            ready = [s for s in ready if self.not_before.get(s.key, 0.0) <= now]
        # What unblocks everything first, then numbers (they are quick), then the longest chain.
        first = {"encode": 0, "reference": 1, "complexity": 2, "evaluate": 3}
        return sorted(ready, key=lambda s: (first.get(s.kind, 4), -self.weight[s.key]))

    def _start_ready(self) -> None:
        if self.jobs:
            self._launch(self._chain())
            return
        free = self.executor.free()
        for stage in self._ready() if free > 0 else ():
            if free <= 0:
                break
            if self._take(stage):
                self._launch([stage])
                free -= 1

    def _chain(self) -> list[Stage]:
        """What can be submitted: a cluster starts a stage once those it needs are done, so all
        whose needs are done, in the queue, or chosen here."""
        now = time.time()
        assert self.jobs is not None
        free: float = self.jobs.free()  # tasks; some stages share one, `place` sees which
        if free <= 0:
            return []
        chosen: list[Stage] = []
        coming = self.done | self.running.keys()
        for key, stage in sorted(self.waiting.items(), key=lambda item: self.order[item[0]]):
            if free <= 0:
                break
            if self.not_before.get(key, 0.0) > now or not stage.needs <= coming:
                continue
            if self._take(stage):
                chosen.append(stage)
                coming.add(key)
                free -= 1 / self.jobs.pack(stage.kind)
            elif key in self.done or key in self.running:
                coming.add(key)
        return chosen

    def _take(self, stage: Stage, alive: Attempt | None = None) -> bool:
        """Claim a stage. False when it is another driver's, done, or a living job's (adopted).

        With `alive`, an attempt that was just read as running, it is only adopted.
        """
        key = stage.key
        if not self.ledger.claim(key):
            self.elsewhere.add(key)
            del self.waiting[key]
            return False
        last = alive
        if alive is None:
            if self.store.manifest(stage.kind, key) is not None:  # committed just before the claim
                self.ledger.release(key)
                self._finished(key, "found")
                return False
            last = self.ledger.last(key)
            if not self.jobs:
                if preflight.given_to_slurm(last):  # since we began: it has the same scratch
                    self.ledger.release(key)
                    self.elsewhere.add(key)
                    self.on_slurm.add(key)
                    del self.waiting[key]
                    return False
                return True
        if last is None or last.state != "running" or last.batch is None:
            return True
        assert self.jobs is not None
        event = self.jobs.adopt(self.plan.task(stage), last)
        del self.waiting[key]
        self.running[key] = last
        if event is None:
            self.watch("start", stage, {"log": last.log, "adopted": True})
            return False
        if event.event in ("stopped", "lost"):  # cancelled, or never submitted: done anew
            last = replace(last, ran=event.content.get("ran"))
            self.ledger.end(last, event.event, event.event, event.content.get("message"))
            del self.running[key]
            self.waiting[key] = stage
            if alive is None:
                return True
            self.ledger.release(key)
            return False
        self._happened(event)
        return False

    def _launch(self, stages: list[Stage]) -> None:
        """Write down an attempt at each, then start them."""
        if not stages:
            return
        tasks = [self.plan.task(s) for s in stages]
        places: list[tuple[str | None, int | None]] = [(None, None)] * len(tasks)
        if self.jobs:
            places = list(self.jobs.place(tasks))
            for stage in stages[len(places) :]:  # they wait for room
                self.ledger.release(stage.key)
        for stage, task, (batch, index) in zip(stages, tasks, places, strict=False):
            attempt = self.ledger.begin(stage.key, stage.kind, stage.label, batch, index)
            del self.waiting[stage.key]
            self.running[stage.key] = attempt
            self.executor.start(task, attempt)
            self.watch("start", stage, {"log": attempt.log})
        if self.jobs:
            self.jobs.flush()

    def _happened(self, event: Event) -> None:
        if event.event == "note" and event.content != self.noted:
            self.noted = event.content  # a full queue says the same every 20 seconds
            self.watch("note", None, event.content)
        stage = self.stages.get(event.key)
        if stage is None or event.key not in self.running:
            return
        if event.event == "progress":
            if not self.jobs:  # local workers do not say when they will be done
                self.paces.setdefault(stage.key, Pace()).tell(event.content, time.time())
                self.progress[stage.key] = event.content
            self.watch("progress", stage, event.content)
            return
        attempt = self.running.pop(event.key)
        attempt = replace(attempt, ran=event.content.get("ran", attempt.ran))
        self.progress.pop(event.key, None)
        self.paces.pop(event.key, None)
        if event.event == "done":
            if self.ledger.read(attempt).state != "done":  # a cluster's task says so itself
                self.ledger.end(attempt, "done")
            if "ours" not in event.content:  # its task was killed just after the commit
                records.reconcile_one(self.store, stage.kind, stage.key)
            self.ledger.release(event.key)
            self._finished(event.key, "done")
        elif event.event == "stopped":
            self.ledger.end(attempt, "stopped", "stopped", event.content.get("message"))
            self.ledger.release(event.key)
            self.watch("stopped", stage, event.content)
        elif event.event == "lost":  # not its fault: a stage it needs failed, or no job was made
            self.ledger.end(attempt, "lost", "lost", event.content.get("message"))
            self.ledger.release(event.key)
            if event.key not in self.blocked:
                self.waiting[event.key] = stage
                wait_s = 0.0 if self.detached else LOST_WAIT_S
                self.not_before[event.key] = time.time() + wait_s
        else:
            self._failed(stage, attempt, event.content)

    def _failed(self, stage: Stage, attempt: Attempt, content: dict[str, Any]) -> None:
        failure, message = content.get("failure", "error"), content.get("message")
        if self.jobs:
            ended, verdict = failures.settle(
                self.ledger, attempt, failure, message, self.jobs.retries
            )
            if verdict.again:
                self.ledger.release(stage.key)
                wait_s = 0.0 if self.detached else verdict.wait_s
                self.waiting[stage.key] = stage
                self.not_before[stage.key] = time.time() + wait_s
                self.watch("again", stage, {"attempt": ended, "wait_s": wait_s})
                return
        else:
            ended = self.ledger.end(attempt, "failed", failure, message)
        self.ledger.release(stage.key)
        self.failed[stage.key] = ended
        self._block([stage.key])
        self.watch("failed", stage, {"attempt": ended})

    def _finished(self, key: str, how: str) -> None:
        """A committed artifact is there."""
        stage = self.stages[key]
        self.waiting.pop(key, None)
        self.elsewhere.discard(key)
        self.done.add(key)
        self.watch(how, stage, {})

    def _block(self, failed: Iterable[str]) -> None:
        """Everything downstream of failed stages cannot run."""
        lost = set(failed)
        for k, stage in self.stages.items():
            if lost and k not in self.done and not lost.isdisjoint(stage.needs):
                lost.add(k)
                self.waiting.pop(k, None)
                self.blocked.add(k)  # one that is queued after it is cancelled by the cluster

    def _look_elsewhere(self) -> None:
        """Has the other driver finished, or died? Has somebody cancelled a stage of ours?"""
        if not self.jobs:  # a cluster's tasks look themselves
            now = [self.ledger.read(attempt) for attempt in self.running.values()]
            cancelled = [a.key for a in now if a.state == "stopped"]
            if cancelled:
                self.executor.cancel(cancelled)
        if not self.elsewhere:
            return
        held = self.ledger.held(self.elsewhere)  # first: a claim is given up after the commit
        done = self.store.committed({self.stages[key].kind for key in self.elsewhere})
        found = {key: self.stages[key].kind for key in self.elsewhere & done}
        for key, kind in found.items():
            records.reconcile_one(self.store, kind, key)
            self._finished(key, "found")
        failed = []
        if self.on_slurm and time.monotonic() - self.asked > ASK_S:
            self.on_slurm &= self.elsewhere
            self.on_slurm = preflight.still_on_slurm(self.plan, self.ledger, self.on_slurm)
            self.asked = time.monotonic()
        for key in self.elsewhere - held - self.on_slurm:
            self.elsewhere.discard(key)
            last = self.ledger.last(key)
            if last is not None and is_final(last):
                self.failed[key] = last
                failed.append(key)
            elif key not in self.blocked:
                self.waiting[key] = self.stages[key]
        self._block(failed)
