"""SLURM as an executor: stages become elements of job arrays, which outlive their driver.

What a stage did is known from its artifact and from what its task wrote down; what SLURM says about
a job matters only where both are silent. A job that SLURM was not asked about successfully is never
taken for dead.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from harness.dispatch import failures
from harness.dispatch.executor import Event, Look, QueueExecutor
from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.remedies import Remedy
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm import state, stuck
from harness.dispatch.slurm.asked import Asked
from harness.dispatch.slurm.batch import Batch, Growth, Place
from harness.dispatch.slurm.cluster import Cluster, Element, NotConfigured, Unreachable
from harness.dispatch.slurm.ended import classify, never_began
from harness.dispatch.slurm.foreign import foreign, variant
from harness.dispatch.slurm.living import Living
from harness.dispatch.slurm.look import look
from harness.dispatch.slurm.queue import FIRST_ASK_S, Queue
from harness.dispatch.slurm.submission import Submissions
from harness.errors import BadInput
from harness.plan.stages import Task
from harness.spec.study import Study
from harness.store.artifacts import CorruptArtifact, Store

LAG_S = 5.0  # a shared file system may show an artifact this long after its job ended
SUBMITTING_S = 120.0  # a job that is written down may take this long to appear in the queue


class SlurmJobs(QueueExecutor):
    """An Executor whose stages live on without it."""

    policy: Literal["pool", "queue"] = "queue"

    def __init__(
        self,
        root: Path,
        study: Study,
        cluster: Cluster | None = None,
    ) -> None:
        self.root = Path(root).resolve()
        self.study = study
        self.cluster = cluster or Cluster()
        self.ledger, self.store = Ledger(self.root), Store(self.root)
        self.living: dict[str, Living] = {}  # by key: every stage in flight
        self.queue = Queue(self.cluster)
        self.submissions = Submissions(self.root, study, self.cluster)
        self.speaking: dict[str, set[str]] = {}  # at adoption: keys that had spoken, by batch
        self.notes: list[str] = []
        self._stuck: set[str] = set()  # reasons for which jobs wait for a person, as they were said
        self.dropped: list[str] = []  # keys whose batch the cluster does not take any more

    @property
    def retries(self) -> Mapping[str, int]:
        """Tries after the first, by class of failure, where the study says."""
        return self.study.settings.dispatch.retries  # type: ignore[return-value]

    def remedy(self, attempt: Attempt, failure: str, message: str) -> Remedy | None:
        """What another try of an attempt that had too little memory or time has."""
        asked = Asked.read(slurm_batch.about(self.root, attempt.batch or ""))
        return None if asked is None else asked.remedy(attempt.kind, failure, message)

    def trouble(self) -> str | None:
        """Why SLURM does not answer."""
        return self.queue.trouble

    def look(self, task: Task, attempt: Attempt) -> Look:
        """Where an attempt stands, for people."""
        return look(self, task, attempt)

    def ran(self, key: str) -> float | None:
        """Seconds that a stage in flight has run, as its task said."""
        return self.said(key).get("ran")

    def used(self, key: str) -> Mapping[str, Any]:
        """What a stage in flight has used, as its task said."""
        return self.said(key).get("used", {})  # type: ignore[no-any-return]

    def begun(self, key: str) -> bool:
        """Has its task written anything?"""
        return self.spoke(key)

    # --- starting -------------------------------------------------------------------------------

    def free(self) -> int:
        """Tasks it would take now. Raises BadInput on a machine that knows no cluster."""
        if self.submissions.pending:
            return 0
        try:
            self.cluster.max_array_size()
        except NotConfigured as error:
            if not self.submissions.ids:
                raise BadInput(
                    f"{error}. Nothing was submitted. Start it on a login node of the cluster, or "
                    "run it on this machine with --executor local"
                ) from None
            self.notes.append(str(error))
            return 0
        except Unreachable as error:
            self.notes.append(str(error))
            return 0
        elements = {one.place for one in self.living.values()}
        return max(0, self.study.settings.dispatch.max_tasks - len(elements))

    def pack(self, kind: str) -> int:
        """The most stages of a kind in one task."""
        return slurm_batch.pack_size(kind, self.study.settings.dispatch.slurm_for(kind))

    def place(self, tasks: list[Task]) -> list[Place]:
        """Where each task will run: which batch, which element. Nothing is submitted yet.

        Of the first tasks only, where all would take more elements than are free.
        """
        tried = self.ledger.tried()
        in_flight = {key: one.place for key, one in self.living.items()}

        def growth(key: str) -> Growth:
            return Growth(*failures.growth(self.ledger.attempts(key))) if key in tried else Growth()

        def arranged(some: list[Task]) -> list[Batch]:
            settings = self.study.settings.dispatch.slurm_for
            limit = self.cluster.max_array_size()
            return slurm_batch.arrange(some, in_flight, settings, limit, growth)

        batches, count = slurm_batch.fitting(tasks, self.free(), arranged)
        places = {
            task.key: (batch.name, index)
            for batch in batches
            for index, pack in batch.elements
            for task in pack
        }
        self.submissions.add(batches)
        return [places[task.key] for task in tasks[:count]]

    def start(self, task: Task, attempt: Attempt) -> None:
        """The attempt is written down, under its job's name; `flush` submits."""
        self.living[task.key] = Living(task, attempt)
        self.queue.hurry()

    def flush(self) -> None:
        """Submit what was placed. Raises Refused when sbatch says no for good."""
        dropped, notes = self.submissions.flush(self.living)
        self.dropped += dropped
        self.notes += notes

    def unsubmitted(self) -> list[str]:
        """Keys placed and not submitted; forgotten here."""
        keys = self.submissions.withdraw()
        for key in keys:
            self.living.pop(key, None)
        return keys

    def adopt(self, task: Task, attempt: Attempt) -> Event | None:
        """Take up an attempt of an earlier driver. None: it lives. Else how it ended."""
        one = Living(task, attempt)
        batch = one.place[0]
        self.submissions.job(batch)
        if batch not in self.speaking:
            self.speaking[batch] = state.speaking(self.root, batch)
            if self.queue.elements is not None and batch not in self.queue.elements:
                self._refresh(FIRST_ASK_S)  # it may be younger than the last look
        one = replace(one, spoke=task.key in self.speaking[batch])
        self.living[task.key] = one
        self.queue.hurry()
        event = (self._reported_end(one) if one.spoke else None) or self._judge(one, wait=False)
        if event is None or event.event == "progress":
            return None
        return self._over(event)

    def _over(self, event: Event) -> Event:
        """A stage is not in flight any more: its last event, with the seconds it ran."""
        said = self.said(event.key)
        event.content.setdefault("ran", said.get("ran"))
        event.content.setdefault("used", said.get("used"))
        del self.living[event.key]
        return event

    # --- what is known, for people --------------------------------------------------------------

    def said(self, key: str) -> dict[str, Any]:
        """The last report of a stage in flight: its state and progress; {} if there is none."""
        return state.read(self.root, self.living[key].place[0], key)

    def spoke(self, key: str) -> bool:
        """Had the task of a stage written anything when it was adopted?"""
        return self.living[key].spoke

    def state(self, key: str) -> str | None:
        """SLURM's word for the job of a stage in flight, None when it has none."""
        element = self.queue.at(*self.living[key].place)
        return element.state if element else None

    def reason(self, key: str) -> str:
        """Why a stage in flight does not run, "" when it does or nobody knows."""
        return self.living[key].reason

    def foreign(self, known: Container[str]) -> list[str]:
        """Living jobs of this study as it was before an edit, or of another variant of it."""
        self._refresh()
        return foreign(self.root, variant(self.study), self.queue.elements or {}, known)

    # --- watching -------------------------------------------------------------------------------

    def poll(self, timeout: float) -> list[Event]:
        """Events since the last call: from files often, from SLURM now and then."""
        deadline = time.monotonic() + timeout
        while True:
            events = self._look()
            left = deadline - time.monotonic()
            if events or left <= 0:
                return events
            time.sleep(min(0.1, left))

    def _look(self) -> list[Event]:
        with contextlib.suppress(Unreachable):
            self.flush()
        found: dict[str, Event] = {}
        for key in self.dropped:
            if key in self.living:
                found[key] = Event("lost", key, {"message": "what it needs ended meanwhile"})
        self.dropped.clear()
        for key, read_ns in state.changed(self.root, self.living):
            if key not in found and (event := self._newest_report(key, read_ns)) is not None:
                found[key] = event
        fresh = bool(self.living) and self._refresh()
        for one in [one for one in self.living.values() if fresh or one.gone is not None]:
            if one.key not in found and (event := self._judge(one)) is not None:
                found[one.key] = event
        if fresh:
            self.notes += self._waits_for_a_person()
        notes = [Event("note", "", {"text": text}) for text in self.notes]
        self.notes.clear()
        for event in found.values():
            if event.event != "progress":
                self._over(event)
                self.queue.hurry()
        return [*notes, *found.values()]

    def _waits_for_a_person(self) -> list[str]:
        """Sentences on jobs that SLURM does not start by itself."""
        each = {one.place: one for one in self.living.values()}.values()
        known = [(one, e) for one in each if (e := self.queue.at(*one.place)) is not None]
        waits = [(f"{e.job}_{one.place[1]}", e.state, self._reason(one, e)) for one, e in known]
        return stuck.notes(waits, self._stuck)

    def _reason(self, one: Living, element: Element) -> str:
        """Why it waits, as SLURM says; AGAIN where it was put back time and again, and never
        began."""
        waits = element.state == "PENDING" and element.reason.strip("() ") == "BeginTime"
        if waits and not self.said(one.key) and not self._behind_another(one):
            batch, index = one.place
            if self.queue.restarts(batch, index, element.job) > 1:
                return stuck.AGAIN
        return element.reason

    def _newest_report(self, key: str, read_ns: int) -> Event | None:
        """The newest report of a stage's task, as an event."""
        said = self.said(key)
        reason = self.living[key].reason
        if said.get("state") == "requeued":
            reason = said.get("message") or "requeued"
        self.living[key] = replace(self.living[key], read_ns=read_ns, reason=reason)
        return state.event(key, said)

    def _reported_end(self, one: Living) -> Event | None:
        """How a stage's task said that it ended, None while it has not."""
        event = state.event(one.key, self.said(one.key))
        return None if event is None or event.event == "progress" else event

    def _refresh(self, wait_s: float | None = None) -> bool:
        """Ask SLURM for the queue if it is time; whether there was a new answer."""
        fresh = self.queue.look(wait_s)
        if fresh:
            self.submissions.learn(self.queue.elements or {})
        elif (trouble := self.queue.news()) is not None:  # once per outage
            there = any(not self.submissions.waits(one.place[0]) for one in self.living.values())
            goes_on = "the jobs go on unwatched until it does"
            self.notes.append(f"{trouble}; {goes_on if there else 'nothing was submitted yet'}")
        return fresh

    def _judge(self, one: Living, wait: bool = True) -> Event | None:
        """The meaning of SLURM's word for a stage that has not said how it ended."""
        batch = one.place[0]
        if self.submissions.waits(batch):
            return None
        if self.queue.elements is None and not self._refresh():
            return None  # nothing is known
        element = self.queue.at(*one.place)
        if element is not None and element.live:
            waits = element.state != "RUNNING"
            reason = f"{element.state.lower()}: {element.reason}" if waits else ""
            means = stuck.meaning(self._reason(one, element), element.state)
            reason += f" ({means})" if means else ""
            if one.gone is not None or one.reason != reason:
                self.living[one.key] = replace(one, gone=None, reason=reason)
            if one.reason == reason:
                return None
            return Event("progress", one.key, {"state": element.state, "reason": reason})
        job = self.submissions.job(batch)
        age = time.time() - one.attempt.started
        if element is None and job is None and age < SUBMITTING_S and wait:
            return None  # an sbatch of a driver that died may still be on its way
        gone = time.monotonic() if one.gone is None else one.gone
        if one.gone is None:
            one = self.living[one.key] = replace(one, gone=gone)
        ended = self._reported_end(one)
        if ended is None and wait and time.monotonic() - gone < LAG_S:
            return None
        return ended or self._verdict(one, element, job)

    def _verdict(self, one: Living, element: Element | None, job: str | None) -> Event | None:
        """How a stage ended whose job is over and whose task said nothing. None: it lives."""
        key, task = one.key, one.task
        with contextlib.suppress(CorruptArtifact):
            if self.store.manifest(task.kind, key) is not None:
                return Event("done", key, {})
        now = self.ledger.read(one.attempt)
        if now.state in ("failed", "again"):
            return Event("failed", key, {"failure": now.failure, "message": now.error})
        if now.state in ("stopped", "lost"):
            return Event(now.state, key, {"message": now.error})
        if job is None:
            return Event("lost", key, {"message": "its driver died before SLURM had its job"})
        batch, index = one.place
        element = self.queue.detail(batch, index, job, element)
        if element is not None and element.live:  # squeue had left it out
            self.living[key] = replace(one, gone=None)
            return None
        if element is None and never_began(task, one.attempt, self.ledger, self.store):
            message = f"SLURM no longer knows job {job}_{index}; a stage it needs failed"
            return Event("lost", key, {"message": message})
        event = classify(key, f"{job}_{index}", element, slurm_batch.folder(self.root, batch))
        if event.event == "failed" and self._behind_another(one):
            message = f"{event.content['message']}, with another stage before this one began"
            return Event("lost", key, {"message": message})
        return event

    def _behind_another(self, one: Living) -> bool:
        """Had the job begun another stage of its element, and this one not yet?"""
        batch, index = one.place
        if state.read(self.root, batch, one.key):
            return False
        with contextlib.suppress(slurm_batch.DamagedPack):
            entries = slurm_batch.read_pack(self.root, batch, index)
            return any(state.read(self.root, batch, e.task.key) for e in entries)
        return False

    # --- ending ---------------------------------------------------------------------------------

    def stop(self) -> None:
        """Nothing: the jobs go on, and the next driver finds them."""

    def close(self) -> None:
        """Nothing is held."""

    def cancel(self, keys: Iterable[str]) -> list[str]:
        """scancel the elements that have nothing else to do. Their job ids.

        `keys` were written down as stopped: a task with others passes over them, or stops them.
        """
        whole: dict[str, list[str]] = {}
        places = (self.living[key].place for key in keys if key in self.living)
        for batch, index in dict.fromkeys(places):
            job = self.submissions.job(batch) or self.cluster.find(batch)
            if job is not None and not slurm_batch.busy(self.ledger, self.store, batch, index):
                whole.setdefault(batch, []).append(f"{job}_{index}")
        for batch, elements in whole.items():
            self.cluster.cancel(batch, elements)
        return [element for elements in whole.values() for element in elements]
