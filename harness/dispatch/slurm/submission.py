"""Batches on their way to sbatch, and the job ids of those that are there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm import script as slurm_script
from harness.dispatch.slurm.asked import Asked
from harness.dispatch.slurm.batch import Batch, Growth
from harness.dispatch.slurm.cluster import Cluster, Element, Later, Refused, Unreachable
from harness.dispatch.slurm.foreign import variant
from harness.dispatch.slurm.living import Living
from harness.spec.study import Study

LATER_S = 20.0  # before a refused submission is tried again


class Submissions:
    """The batches to submit, in order, and those that were."""

    def __init__(self, root: Path, study: Study, cluster: Cluster) -> None:
        self.root, self.study, self.cluster = root, study, cluster
        self.pending: list[Batch] = []  # written down, not submitted yet; parents first
        self.not_before = 0.0  # of the next try, by time.time
        self.ids: dict[str, str | None] = {}  # batch -> job id, None until known

    def add(self, batches: list[Batch]) -> None:
        """To be submitted by the next `flush`."""
        self.pending += batches
        self.ids |= {batch.name: None for batch in batches}

    def waits(self, name: str) -> bool:
        """Is a batch still to be submitted?"""
        return any(batch.name == name for batch in self.pending)

    def job(self, name: str) -> str | None:
        """The job id of a batch, as far as it is known."""
        if self.ids.get(name) is None:
            self.ids[name] = slurm_batch.about(self.root, name).get("job")
        return self.ids[name]

    def learn(self, queue: Mapping[str, Mapping[int, Element]]) -> None:
        """Job ids of batches whose sbatch never told them."""
        for name, elements in queue.items():
            if name in self.ids and self.ids[name] is None and elements:
                self.ids[name] = next(iter(elements.values())).job

    def withdraw(self) -> list[str]:
        """Keys of everything that is still to be submitted; it will not be."""
        keys = [t.key for batch in self.pending for pack in batch.packs for t in pack]
        self.pending.clear()
        return keys

    def flush(self, living: Mapping[str, Living]) -> tuple[list[str], list[str]]:
        """Submit what is pending. (keys whose batch the cluster will not take, notes)

        Raises Refused when sbatch says no for good.
        """
        dropped: list[str] = []
        notes: list[str] = []
        if not self.pending or time.time() < self.not_before:
            return dropped, notes
        in_flight = {one.place[0] for one in living.values()}
        while self.pending:
            batch = self.pending[0]
            if self._parentless(batch, in_flight):
                dropped += self._drop(batch)
                continue
            try:
                self._submit(batch, living)
            except Refused as error:
                if "dependency" in str(error).lower() and batch.after:
                    dropped += self._drop(batch)  # what it follows has ended meanwhile
                elif batch.growth != Growth():  # more than any node or partition has
                    batch.refused = batch.growth.memory > 1
                    batch.growth = Growth()
                    self._script(batch).unlink()
                    said = str(error).partition("\n")[0]
                    notes.append(f"{said}; submitted again with what the study asks for")
                else:
                    raise
                continue
            except (Later, Unreachable) as error:
                self.not_before = time.time() + LATER_S
                notes.append(f"{error}; `run` tries again every {LATER_S:g} s")
                break
            self.pending.pop(0)
        return dropped, notes

    def _parentless(self, batch: Batch, in_flight: set[str]) -> bool:
        """Was a batch it follows taken for lost before it had a job?"""
        unknown = {name for name in batch.parents if self.job(name) is None}
        return bool(unknown) and not unknown <= in_flight

    def _drop(self, batch: Batch) -> list[str]:
        """Not to be submitted, nor what follows it: all their stages are looked at anew."""
        gone = slurm_batch.with_followers(batch, self.pending)
        self.pending = [b for b in self.pending if b not in gone]
        return [t.key for b in gone for pack in b.packs for t in pack]

    def _submit(self, batch: Batch, living: Mapping[str, Living]) -> None:
        settings = self.study.settings.dispatch.slurm_for(batch.kind)
        jobs = {name: job for name in batch.parents if (job := self.job(name)) is not None}
        unknown = batch.parents - jobs.keys()
        if unknown:
            raise Later(f"{batch.name} waits for the submission of {', '.join(sorted(unknown))}")
        if not self._script(batch).exists():
            if batch.growth.time > 1:
                batch.longest = self.cluster.longest(settings.partition)
            dispatch = self.study.settings.dispatch
            asked = Asked.of(dispatch, batch, *slurm_script.limits(settings, batch))
            about = {**variant(self.study), "retries": dict(dispatch.retries), **asked.written()}
            attempts = {t.key: living[t.key].attempt for pack in batch.packs for t in pack}
            slurm_script.write(self.root, batch, settings, attempts, about, jobs)
        job = self.cluster.submit(self._script(batch), batch.name)
        self.ids[batch.name] = job
        slurm_batch.set_job(self.root, batch.name, job)

    def _script(self, batch: Batch) -> Path:
        return slurm_batch.folder(self.root, batch.name) / "submit.sh"
