"""The driver: start what is ready, watch what runs, write down how it ended.

One loop for every executor; what differs between one whose stages die with us and one whose stages
live on is a policy (harness.dispatch.pool, harness.dispatch.queue). A stage is done when, and only
when, its artifact is committed. Killed anywhere, the driver leaves a state from which the same
command goes on: attempts whose owner is dead are settled as lost, claims of the dead are broken,
and every artifact is either whole or absent. Two drivers on one study do the work once: each claims
a key before starting it, and looks at the store for those the other has.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from harness.dispatch import merging
from harness.dispatch.agenda import Agenda
from harness.dispatch.circumstances import circumstances
from harness.dispatch.executor import Event, Executor
from harness.dispatch.executors import executor_of
from harness.dispatch.ledger import Attempt, Ledger, measured
from harness.dispatch.policy import Policy, Watch
from harness.dispatch.pool import Pool
from harness.dispatch.queue import Queue
from harness.dispatch.study_state import StudyState, check_artifacts, removed, study_state
from harness.errors import BadInput, HarnessError
from harness.plan.plan import Plan, Stage
from harness.plan.stages import KIND_OF_ROLE, WITH_SPARE
from harness.store import records
from harness.store.artifacts import CorruptArtifact, Store, UnreadableArtifact
from harness.store.files import NotReadable
from harness.store.pruned import make_room

LOOK_S = 1.0  # between looks at the store for other drivers' work
REFRESH_S = 60.0  # between refreshes of our claims
MERGE_S = 600.0  # between looks at how many record files there are
LOST_WAIT_S = 5.0  # until the failure that cancelled a queued stage is known as well

POLICIES: dict[str, type[Policy]] = {"pool": Pool, "queue": Queue}


class Driver:
    """Runs the missing stages of a plan through an executor.

    remake: make again what was there before and was removed, where something wanted needs it.
    keep_going: do also what leads to failed stages alone.
    """

    def __init__(
        self,
        plan: Plan,
        stages: Iterable[Stage],
        store: Store,
        ledger: Ledger,
        executor: Executor,
        watch: Watch = lambda event, stage, content: None,
        remake: bool = True,
        keep_going: bool = False,
    ) -> None:
        self.plan, self.store, self.ledger = plan, store, ledger
        self.executor, self.watch = executor, watch
        self.chosen, self.remake = list(stages), remake
        self.agenda = Agenda({s.key: s for s in self.chosen}, keep_going=keep_going)
        self.policy = POLICIES[executor.policy](self)
        self.stopping = False
        self.before: dict[str, Attempt] = {}  # failures from before this driver began, by key
        self._noted: dict[str, Any] = {}

    def run(self) -> int:
        """Until nothing is left that can be done. Exit code: 0 done, 1 failed, 3 stopped."""
        agenda, policy = self.agenda, self.policy
        try:
            looked = refreshed = merged = self.begin()
            while agenda.open:
                if self.stopping and policy.outlives:
                    policy.give_back("stopped before it was submitted")
                    break
                if not self.stopping:
                    policy.start_ready()
                if not agenda.running and (
                    self.stopping or not (agenda.waiting or agenda.elsewhere)
                ):
                    break
                if not agenda.running and not agenda.elsewhere and not agenda.ready():
                    break  # the rest waits for stages outside the selection
                for event in self.executor.poll(0.5):
                    self.happened(event)
                now = time.monotonic()
                if now - looked > LOOK_S:
                    looked = now
                    self.look_elsewhere()
                if now - refreshed > REFRESH_S:
                    refreshed = now
                    self.ledger.refresh()
                if now - merged > MERGE_S:
                    merged = now
                    self.merge_records()
                policy.tick(now)
                self.watch("tick", None, {})
        except HarnessError as error:
            policy.give_back(str(error))
            raise
        finally:
            self.leave()
        return self.exit_code()

    def detach(self) -> int:
        """Submit everything that is not done, children after their parents, and return.

        A failed stage is submitted again at once: nobody stays to wait. Exit code: 0 when all of it
        is done or submitted, 1 when failed stages block the rest, 3 when some is still to be
        submitted: the cluster took no more, or dispatch.max_tasks are queued.
        """
        assert self.policy.outlives  # only a cluster's jobs can be left alone
        self.policy.detached = True
        try:
            self.begin()
            self.policy.start_ready()
            for event in self.executor.poll(0.0):  # notes
                self.happened(event)
            self.policy.give_back("the cluster took no more jobs")
        except HarnessError as error:
            self.policy.give_back(str(error))
            raise
        finally:
            self.leave()
        return 1 if self.agenda.failed else 3 if self.agenda.waiting else 0

    def begin(self) -> float:
        """Take stock: what is done, damaged, lost, failed or removed before."""
        self.ledger.register(self.plan.study.name, self.plan.study.profile)
        state, notes = self.take_stock()
        self.ledger.settle_those(state.latest)
        self.policy.check(state.latest)
        notes += records.reconcile(self.store)
        self.before = {k: a for k, a in state.latest.items() if a.state == "failed"}
        self._plan_for(state, self.policy.not_again(self.before))
        notes += self.policy.begin(state.latest)
        for note in notes:
            self.watch("note", None, {"text": note})
        return time.monotonic()

    def merge_records(self) -> None:
        """Many record files into few, so that readers are quick while weeks go by.

        If it fails, no stage stops: the failure is reported, and it is tried again.
        """
        try:
            merging.merge(self.store.root, self.ledger, merging.MANY, self.watch)
        except HarnessError as error:
            self.watch("note", None, {"text": f"the records were not merged: {error}"})

    def take_stock(self) -> tuple[StudyState, list[str]]:
        """Where the stages stand, after damaged ones were moved away; and notes about those.

        Raises BadInput when something wanted needs what was removed, unless `remake`.
        """
        notes: list[str] = []
        checked: set[str] = set()
        while True:
            state = study_state(self.plan, self.chosen, self.store, self.ledger)
            found = check_artifacts(state.stages, state.work.read - checked, self.store)
            checked |= state.work.read
            notes += found
            if not found:
                break
        if state.asks and not self.remake:
            raise BadInput(removed(state))
        for stage in state.remade:  # of what was pruned, and emptied by hand, something is left
            make_room(self.store, stage.kind, stage.key)
        return state, notes

    def _plan_for(self, state: StudyState, failed: dict[str, Attempt]) -> None:
        stages = {s.key: s for s in state.stages}
        starts = {key for s in state.missing for key in s.after.values()}
        self.agenda.begin(stages, state.done, failed, starts - stages.keys())
        self.watch("stock", None, {"stages": state.stages, "done": set(state.done)})

    def leave(self) -> None:
        """Let the next driver have everything at once: jobs go on, workers do not."""
        if self.agenda.running and not self.policy.outlives:
            self.executor.close()
        self.ledger.leave()

    def exit_code(self) -> int:
        """The exit code of `run`: 0, 1 or 3."""
        if self.agenda.failed:
            return 1
        return 3 if len(self.agenda.done) < len(self.agenda.stages) else 0

    def stop(self) -> None:
        """Ask running stages to save and end (Ctrl-C); `run` returns when they have."""
        if not self.stopping:
            self.stopping = True
            self.executor.stop()

    def now(self) -> float:
        """Seconds since 1970, by this machine's clock."""
        return time.time()

    # --- steps that every policy takes ----------------------------------------------------------

    def take(self, stage: Stage) -> bool:
        """Claim a stage. False when it is another driver's, done, adopted, or has just failed."""
        key = stage.key
        if not self.ledger.claim(key):
            self.agenda.leave(key)
            return False
        self.store.look_anew(stage.kind)
        if self.store.manifest(stage.kind, key) is not None:  # committed just before the claim
            self.ledger.release(key)
            self.finished(key, "found")
            return False
        last = self.ledger.last(key)
        if last is not None and self.failed_meanwhile(last):
            self.ledger.release(key)
            self.agenda.fail(last)
            self.watch("failed", stage, {"attempt": last})
            return False
        return self.policy.adopt(stage, last)

    def failed_meanwhile(self, last: Attempt) -> bool:
        """Has another driver tried it since we began, and failed? Two that start together count
        one try. By the attempt's name: the clocks of two machines may differ."""
        before = self.before.get(last.key)
        return last.state == "failed" and (before is None or before.id != last.id)

    def launch(self, stage: Stage, place: tuple[str, int] | None = None, /, **how: Any) -> None:
        """Write down an attempt at a claimed stage, then start it. `place`: in a queue; `how`: what
        the executor's `start` takes besides."""
        task = self.plan.task(stage)
        batch, index = place or (None, None)
        attempt = self.ledger.begin(
            stage.key,
            stage.kind,
            stage.label,
            batch,
            index,
            circumstances(self.plan, task),
            None if batch is None else executor_of(self.plan.study).name,
        )
        self.agenda.started(stage.key, attempt)
        self.executor.start(task, attempt, **how)
        self.watch("start", stage, {"log": attempt.log})

    def happened(self, event: Event) -> None:
        """Progress, or the end of an attempt of ours."""
        if event.event == "note" and event.content != self._noted:
            self._noted = event.content  # a full queue says the same every 20 seconds
            self.watch("note", None, event.content)
        key = event.key
        stage = self.agenda.stages.get(key)
        if stage is None or key not in self.agenda.running:
            return
        if event.event == "progress":
            # killed in a moment, it says no more
            self.agenda.running[key] = measured(self.agenda.running[key], event.content)
            event.content.pop("used", None)
            self.policy.told(key, event.content)
            self.watch("progress", stage, event.content)
            return
        attempt = measured(self.agenda.running.pop(key), event.content)
        message = event.content.get("message")
        self.policy.over(key)
        if event.event == "done":
            if self.ledger.read(attempt).state != "done":  # a cluster's task says so itself
                self.ledger.end(attempt, "done")
            if "ours" not in event.content:  # its task was killed just after the commit
                self._record(stage)
            self.ledger.release(key)
            self.finished(key, "done", attempt.ran)
        elif event.event == "stopped":
            self.ledger.end(attempt, "stopped", "stopped", message)
            self.ledger.release(key)
            self.watch("stopped", stage, event.content)
        elif event.event == "lost":  # not its fault: a stage it needs failed, or no job was made
            self.ledger.end(attempt, "lost", "lost", message)
            self.ledger.release(key)
            wait_s = 0.0 if self.policy.detached else LOST_WAIT_S
            self.agenda.again(key, self.now() + wait_s)
        else:
            self._failed(stage, attempt, event.content.get("failure", "error"), message)

    def _failed(self, stage: Stage, attempt: Attempt, failure: str, message: str | None) -> None:
        if failure != "bad input" or not self._mend(stage, attempt, message):
            self._ended(stage, attempt, failure, message)

    def _ended(self, stage: Stage, attempt: Attempt, failure: str, message: str | None) -> None:
        """It has failed: is it tried once more?"""
        ended, verdict = self.policy.settle(attempt, failure, message)
        self.ledger.release(stage.key)
        if verdict.again:
            wait_s = 0.0 if self.policy.detached else verdict.wait_s
            self.agenda.again(stage.key, self.now() + wait_s)
            self.watch("again", stage, {"attempt": ended, "wait_s": wait_s})
            return
        self.agenda.fail(ended)
        self.watch("failed", stage, {"attempt": ended})

    def _mend(self, stage: Stage, attempt: Attempt, message: str | None) -> bool:
        """Did it fail because what it reads is damaged? Then that is made again, and so is it."""
        damaged = []
        for role, need in (*stage.inputs.items(), *stage.after.items()):
            if need not in (message or ""):  # the path of the damaged file is reported
                continue
            kind = KIND_OF_ROLE[role]
            try:
                self.store.open(kind, need)
            except UnreadableArtifact:
                continue  # it is whole, as far as is known: whoever may read it has to say so
            except CorruptArtifact as error:
                aside = self.store.quarantine(kind, need)
                damaged.append(f"{error}; moved to {aside}, it is made again")
            else:
                damaged += self.store.set_aside(kind, need) if role in WITH_SPARE else []
        if not damaged:
            return False
        try:
            state, notes = self.take_stock()
        except BadInput as error:  # it was pruned: this stage cannot be done, the others can
            for note in damaged:
                self.watch("note", None, {"text": note})
            self._ended(stage, attempt, "bad input", str(error))
            return True
        self.ledger.end(attempt, "again", "bad input", message)
        self.ledger.release(stage.key)
        self._plan_for(state, self.agenda.failed)
        for note in damaged + notes:
            self.watch("note", None, {"text": note})
        return True

    def _record(self, stage: Stage) -> None:
        """Its rows, where whoever committed it has not written them. Damage is reported, and the
        next run mends it."""
        try:
            records.reconcile_one(self.store, stage.kind, stage.key)
        except CorruptArtifact as error:
            self.watch("note", None, {"text": f"{stage.label}: {error}; run again to mend it"})

    def finished(self, key: str, how: str, ran: float | None = None) -> None:
        """A committed artifact is there: ours (done), after `ran` seconds, or another driver's
        (found)."""
        self.agenda.finish(key)
        self.watch(how, self.agenda.stages[key], {"ran": ran})

    def look_elsewhere(self) -> None:
        """Has the other driver finished, or died?"""
        agenda = self.agenda
        if not agenda.elsewhere:
            return
        held = self.ledger.held(agenda.elsewhere)  # first: a claim is given up after the commit
        try:
            done = self.store.committed({agenda.stages[key].kind for key in agenda.elsewhere})
        except NotReadable:  # a network disk, just now: ours goes on, and it is asked again
            return
        for key in agenda.elsewhere & done:
            self._record(agenda.stages[key])
            self.finished(key, "found")
        for key in agenda.elsewhere - held - self.policy.held_by_queues():
            last = self.ledger.last(key)
            if last is not None and self.failed_meanwhile(last):
                agenda.fail(last)
            else:
                agenda.again(key)
