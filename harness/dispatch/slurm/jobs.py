"""SLURM as an executor: stages become elements of job arrays, which outlive their driver.

What a stage did is known from its artifact and from what its task wrote down; what SLURM says about
a job matters only for stages of which neither tells. A job that SLURM was not asked about
successfully is never taken for dead.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from harness.dispatch import failures
from harness.dispatch.executor import Event
from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm import script as slurm_script
from harness.dispatch.slurm.batch import Batch, Growth, Place
from harness.dispatch.slurm.cluster import Cluster, Element, Later, Refused, Unreachable
from harness.dispatch.slurm.ended import classify, never_began
from harness.dispatch.slurm.queue import FIRST_ASK_S, Queue
from harness.plan.stages import Task
from harness.spec.study import Study
from harness.store.artifacts import CorruptArtifact, Store

LAG_S = 5.0  # a shared file system may show an artifact this long after its job ended
SUBMITTING_S = 120.0  # a job that is written down may take this long to appear in the queue
LATER_S = 20.0  # before a refused submission is tried again


class SlurmJobs:
    """An Executor whose stages live on without it."""

    policy: Literal["pool", "queue"] = "queue"

    def __init__(
        self,
        root: Path,
        study: Study,
        cluster: Cluster | None = None,
    ) -> None:
        self.root = Path(root).resolve()
        self.study, self.settings = study, study.settings.dispatch
        self.cluster = cluster or Cluster()
        self.ledger, self.store = Ledger(self.root), Store(self.root)
        self.retries: Mapping[str, int] = self.settings.retries  # type: ignore[assignment]
        self.jobs: dict[str, str | None] = {}  # batch -> job id, None until known
        self.tasks: dict[str, Task] = {}
        self.attempts: dict[str, Attempt] = {}
        self.where: dict[str, Place] = {}  # key -> batch and element, while in flight
        self.pending: list[Batch] = []  # written down, not submitted yet
        self.not_before = 0.0  # of the next try at submitting
        self.reasons: dict[str, str] = {}  # key -> why it does not run, for the display
        self.notes: list[str] = []
        self.lost: list[str] = []  # keys whose batch the cluster does not take any more
        self.queue = Queue(self.cluster)
        self._trouble: str | None = None  # told already
        self._seen: dict[str, int] = {}  # state file's time, by key
        self._gone: dict[str, float] = {}  # when a key's job was first seen to be over
        self._said: dict[str, set[str]] = {}  # at adoption: state files by batch, listed once
        self._elements: dict[Place, int] = {}  # stages in flight per element

    def free(self) -> int:
        """Tasks it would take now."""
        if self.pending:
            return 0
        try:
            self.cluster.max_array_size()
        except Unreachable as error:
            self.notes.append(str(error))
            return 0
        return max(0, self.settings.max_tasks - len(self._elements))

    def pack(self, kind: str) -> int:
        """The most stages of a kind in one task."""
        return slurm_batch.pack_size(kind, self.settings.slurm_for(kind))

    def place(self, tasks: list[Task]) -> list[Place]:
        """Where each task will run: which batch, which element. Nothing is submitted yet.

        Of the first tasks only, where all would take more elements than are free.
        """
        batches, count = slurm_batch.fitting(tasks, self.free(), self._arrange)
        places: dict[str, Place] = {}
        for batch in batches:
            self.jobs[batch.name] = None
            for index, pack in batch.elements:
                places.update((task.key, (batch.name, index)) for task in pack)
        self.pending += batches
        return [places[task.key] for task in tasks[:count]]

    def _arrange(self, tasks: list[Task]) -> list[Batch]:
        tried = self.ledger.tried()

        def growth(key: str) -> Growth:
            return Growth(*failures.growth(self.ledger.attempts(key))) if key in tried else Growth()

        return slurm_batch.arrange(
            tasks,
            self.where,
            self.settings.slurm_for,
            self.cluster.max_array_size(),
            growth,
        )

    def start(self, task: Task, attempt: Attempt) -> None:
        """The attempt is written down, under its job's name; `flush` submits."""
        assert attempt.batch is not None and attempt.index is not None
        self._track(task, attempt, (attempt.batch, attempt.index))

    def _track(self, task: Task, attempt: Attempt, place: Place) -> None:
        self.tasks[task.key], self.attempts[task.key] = task, attempt
        self.where[task.key] = place
        self._elements[place] = self._elements.get(place, 0) + 1
        self.queue.hurry()

    def _forget(self, key: str) -> None:
        place = self.where.pop(key)
        self._elements[place] -= 1
        if not self._elements[place]:
            del self._elements[place]
        for known in (self.tasks, self.attempts, self.reasons, self._seen, self._gone):
            known.pop(key, None)  # type: ignore[attr-defined]

    def flush(self) -> None:
        """Submit what was placed. Raises Refused when sbatch says no for good."""
        if not self.pending or time.time() < self.not_before:
            return
        while self.pending:
            batch = self.pending[0]
            if self._parentless(batch):
                self._drop(batch)
                continue
            try:
                self._submit(batch)
            except Refused as error:
                if "dependency" in str(error).lower() and batch.after:
                    self._drop(batch)  # what it follows has ended meanwhile
                elif batch.growth != Growth():  # more than any node or partition has
                    batch.growth = Growth()
                    self._script(batch).unlink()
                    said = str(error).partition("\n")[0]
                    self.notes.append(f"{said}; submitted again with what the study asks for")
                else:
                    raise
                continue
            except (Later, Unreachable) as error:
                self.not_before = time.time() + LATER_S
                self.notes.append(f"{error}; `run` tries again every {LATER_S:g} s")
                return
            self.pending.pop(0)

    def _parentless(self, batch: Batch) -> bool:
        """Was a batch it follows taken for lost before it had a job?"""
        unknown = {name for name in batch.parents if self._job(name) is None}
        return bool(unknown) and not unknown <= {name for name, _ in self.where.values()}

    def _drop(self, batch: Batch) -> None:
        """Not to be submitted, nor what follows it: all their stages are looked at anew."""
        gone = slurm_batch.with_followers(batch, self.pending)
        self.pending = [b for b in self.pending if b not in gone]
        self.lost += [t.key for b in gone for pack in b.packs for t in pack]

    def _submit(self, batch: Batch) -> None:
        settings = self.settings.slurm_for(batch.kind)
        jobs = {name: job for name in batch.parents if (job := self._job(name)) is not None}
        lost = batch.parents - jobs.keys()
        if lost:
            raise Later(f"{batch.name} waits for the submission of {', '.join(sorted(lost))}")
        if not self._script(batch).exists():
            if batch.growth.time > 1:
                batch.longest = self.cluster.longest(settings.partition)
            about = {**slurm_batch.variant(self.study), "retries": dict(self.retries)}
            slurm_script.write(self.root, batch, settings, self.attempts, about, jobs)
        job = self.cluster.submit(self._script(batch), batch.name)
        self.jobs[batch.name] = job
        slurm_batch.set_job(self.root, batch.name, job)

    def _script(self, batch: Batch) -> Path:
        return slurm_batch.folder(self.root, batch.name) / "submit.sh"

    def _job(self, name: str) -> str | None:
        if self.jobs.get(name) is None:
            self.jobs[name] = slurm_batch.about(self.root, name).get("job")
        return self.jobs[name]

    def unsubmitted(self) -> list[str]:
        """Keys placed and not submitted; forgotten here."""
        keys = [t.key for batch in self.pending for pack in batch.packs for t in pack]
        self.pending.clear()
        for key in keys:
            if key in self.where:
                self._forget(key)
        return keys

    def adopt(self, task: Task, attempt: Attempt) -> Event | None:
        """Take up an attempt of an earlier driver. None: it lives. Else how it ended."""
        assert attempt.batch is not None and attempt.index is not None
        place = (attempt.batch, attempt.index)
        if place[0] not in self.jobs:
            self.jobs[place[0]] = slurm_batch.about(self.root, place[0]).get("job")
        self._track(task, attempt, place)
        if place[0] not in self._said:
            self._said[place[0]] = slurm_batch.states(self.root, place[0])
            if self.queue.elements is not None and place[0] not in self.queue.elements:
                self._refresh(FIRST_ASK_S)  # it may be younger than the last look
        ended = self._ended(task.key) if self.spoke(task.key) else None
        event = ended or self._judge(task.key, wait=False)
        if event is not None and event.event != "progress":
            event.content.setdefault("ran", self.said(task.key).get("ran"))
            self._forget(task.key)
            return event
        return None

    def spoke(self, key: str) -> bool:
        """Had the task of a stage written anything when it was adopted?"""
        return f"{key}.json" in self._said.get(self.where[key][0], ())

    def said(self, key: str) -> dict[str, Any]:
        """What the task of a stage in flight last wrote: its state and progress; {} if nothing."""
        path = slurm_batch.folder(self.root, self.where[key][0]) / "state" / f"{key}.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text())
            return found
        except (OSError, ValueError):
            return {}

    def state(self, key: str) -> str | None:
        """SLURM's word for the job of a stage in flight, None when it has none."""
        element = self.queue.at(*self.where[key])
        return element.state if element else None

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
        events = [Event("note", "", {"text": text}) for text in self.notes]
        self.notes.clear()
        for key in self.lost:
            if key in self.where:
                events.append(Event("lost", key, {"message": "what it needs ended meanwhile"}))
                self._forget(key)
        self.lost.clear()
        if not self.where:
            return events
        for key in self._changed():
            event = self._read_state(key)
            if event is not None:
                events.append(event)
        fresh = self._refresh()
        if fresh or self._gone:
            ended = {e.key for e in events}
            for key in list(self.where):
                if key not in ended and (fresh or key in self._gone):
                    event = self._judge(key)
                    if event is not None:
                        events.append(event)
        for event in events:
            if event.event != "progress" and event.key in self.where:
                event.content.setdefault("ran", self.said(event.key).get("ran"))
                self._forget(event.key)
                self.queue.hurry()
        return events

    def _changed(self) -> list[str]:
        """Keys whose state file is new. One directory listing per batch."""
        found = []
        for name in {batch for batch, _ in self.where.values()}:
            with contextlib.suppress(FileNotFoundError):
                for entry in os.scandir(slurm_batch.folder(self.root, name) / "state"):
                    key = entry.name.partition(".")[0]
                    if key in self.where and self.where[key][0] == name:
                        with contextlib.suppress(FileNotFoundError):
                            changed = entry.stat().st_mtime_ns
                            if self._seen.get(key) != changed:
                                self._seen[key] = changed
                                found.append(key)
        return found

    def _read_state(self, key: str) -> Event | None:
        """What the stage's task last said, as an event."""
        said = self.said(key)
        if not said:
            return None
        state = said.pop("state")
        if state in ("done", "failed", "stopped", "lost"):
            return Event(state, key, said)
        if state == "requeued":
            self.reasons[key] = said.get("message", "requeued")
            return Event("progress", key, {"message": said.get("message")})
        return Event("progress", key, said)

    def _refresh(self, wait_s: float | None = None) -> bool:
        """Ask for the queue if it is time. Answered anew?"""
        fresh = self.queue.look(wait_s)
        if self.queue.trouble and not self._trouble:  # once per outage
            self.notes.append(f"{self.queue.trouble}; the jobs go on unwatched until it does")
        self._trouble = self.queue.trouble
        for name, elements in (self.queue.elements or {}).items() if fresh else ():
            if name in self.jobs and self.jobs[name] is None and elements:
                self.jobs[name] = next(iter(elements.values())).job
        return fresh

    def _judge(self, key: str, wait: bool = True) -> Event | None:
        """What SLURM's word means for a stage that has not said how it ended."""
        place, attempt = self.where[key], self.attempts[key]
        if any(batch.name == place[0] for batch in self.pending):
            return None
        if self.queue.elements is None and not self._refresh():
            return None  # nothing is known
        element = self.queue.at(*place)
        if element is not None and element.live:
            self._gone.pop(key, None)
            waits = element.state != "RUNNING"
            reason = f"{element.state.lower()}: {element.reason}" if waits else ""
            if self.reasons.get(key) != reason:
                self.reasons[key] = reason
                return Event("progress", key, {"state": element.state, "reason": reason})
            return None
        job = self._job(place[0])
        age = time.time() - attempt.started
        if element is None and job is None and age < SUBMITTING_S and wait:
            return None  # an sbatch of a driver that died may still be on its way
        first = self._gone.setdefault(key, time.monotonic())
        ended = self._ended(key)
        if ended is None and wait and time.monotonic() - first < LAG_S:
            return None
        return ended or self._verdict(key, element, job)

    def _ended(self, key: str) -> Event | None:
        """How the stage said that it ended, None while it has not."""
        event = self._read_state(key)
        return None if event is None or event.event == "progress" else event

    def _verdict(self, key: str, element: Element | None, job: str | None) -> Event | None:
        task, attempt, place = self.tasks[key], self.attempts[key], self.where[key]
        with contextlib.suppress(CorruptArtifact):
            if self.store.manifest(task.kind, key) is not None:
                return Event("done", key, {})
        now = self.ledger.read(attempt)
        if now.state in ("failed", "again"):
            return Event("failed", key, {"failure": now.failure, "message": now.error})
        if now.state in ("stopped", "lost"):
            return Event(now.state, key, {"message": now.error})
        if job is None:
            return Event("lost", key, {"message": "its driver died before SLURM had its job"})
        element = self.queue.detail(*place, job, element)
        if element is not None and element.live:  # squeue had left it out
            self._gone.pop(key, None)
            return None
        if element is None and never_began(task, attempt, self.ledger, self.store):
            message = f"SLURM no longer knows job {job}_{place[1]}; a stage it needs failed"
            return Event("lost", key, {"message": message})
        folder = slurm_batch.folder(self.root, place[0])
        return classify(key, f"{job}_{place[1]}", element, folder)

    def foreign(self, known: Container[str]) -> list[str]:
        """Living jobs of this study as it was before an edit, or of another variant of it."""
        self._refresh()
        queue = self.queue.elements or {}
        return slurm_batch.foreign(self.root, slurm_batch.variant(self.study), queue, known)

    def stop(self) -> None:
        """Nothing: the jobs go on, and the next driver finds them."""

    def close(self) -> None:
        """Nothing is held."""

    def cancel(self, keys: Iterable[str]) -> list[str]:
        """scancel the elements that have nothing else to do. Their job ids.

        `keys` were written down as stopped: a task with others passes over them, or stops them.
        """
        whole: dict[str, list[str]] = {}
        for name, index in dict.fromkeys(self.where[key] for key in keys if key in self.where):
            job = self._job(name) or self.cluster.find(name)
            if job is not None and not slurm_batch.busy(self.ledger, self.store, name, index):
                whole.setdefault(name, []).append(f"{job}_{index}")
        for name, elements in whole.items():
            self.cluster.cancel(name, elements)
        return [element for elements in whole.values() for element in elements]
