"""A pretended cluster and a clock of its own: weeks pass in seconds, through the real driver."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from harness.dispatch.driver import Driver
from harness.dispatch.ledger import Ledger
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm.cluster import Cluster, Element
from harness.dispatch.slurm.jobs import SlurmJobs
from harness.plan import Plan, make_plan
from harness.plan.stages import Task
from harness.spec import load_study
from harness.store import Store, files

STUDY = """\
study: simulated
title: Ten thousand stages
profile: here
data: {name: glyphs, image_size: 8, channels: 1, num_classes: 10, train_images: 100}
model: {family: DiT-micro, size: S, patch_size: 4}
matrix:
  axes:
    seed: [SEEDS]
report: {sections: [headline]}
train: {steps: 20, batch_size: 8}
reference: {images: 60, recall_images: 40}
evaluations: {final: {sampling_steps: 2, samples: 40, split_size: 40}}
profiles:
  here:
    dispatch: {executor: slurm, device: cpu, max_tasks: 20000, slurm: {pack: 4}}
"""


class Clock:
    """Stands in for the module `time`: sleeping is free."""

    def __init__(self) -> None:
        self.now = 1.8e9

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.now += 6000 * seconds  # or the loop would go round a million times


class PretendedCluster(Cluster):
    """Runs every element for some simulated minutes, then commits empty artifacts.

    Of its elements, `fail` (a share) end with a state of their own and leave nothing.
    """

    def __init__(self, root: Path, clock: Clock, slots: int = 400, fail: float = 0.0) -> None:
        super().__init__()
        self.root, self.clock, self.slots, self.fail = root, clock, slots, fail
        self.elements: dict[tuple[str, int], Element] = {}
        self.ends: dict[tuple[str, int], float] = {}
        self.waits: list[tuple[str, int]] = []
        self.submitted: list[str] = []
        self.random = random.Random(0)
        self.store = Store(root)

    def max_array_size(self) -> int:
        return 1001

    def submit(self, script: Path, name: str) -> str:
        assert name not in self.submitted and (script.parent / "packs.jsonl").exists()
        self.submitted.append(name)
        job = str(len(self.submitted))
        self.packs = {**getattr(self, "packs", {}), name: slurm_batch.keys_of(self.root, name)}
        for index in (i for i, keys in enumerate(self.packs[name]) if keys):
            self.elements[(name, index)] = Element(job, "PENDING", "Priority")
            self.waits.append((name, index))
        return job

    def queue(self, name: str | None = None) -> dict[str, dict[int, Element]]:
        self.turn()
        found: dict[str, dict[int, Element]] = {}
        for (batch, index), element in self.elements.items():
            found.setdefault(batch, {})[index] = element
        return found

    def turn(self) -> None:
        for place in [p for p, end in self.ends.items() if end <= self.clock.now]:
            del self.ends[place]
            job = self.elements[place].job
            if self.random.random() < self.fail:
                self.elements[place] = Element(job, "NODE_FAIL", exit_code="0:0")
                continue
            self.elements[place] = Element(job, "COMPLETED", exit_code="0:0")
            for entry in slurm_batch.read_pack(self.root, *place):
                commit(self.store, entry.task)
        while self.waits and len(self.ends) < self.slots:
            place = self.waits.pop(0)
            self.ends[place] = self.clock.now + 60 * self.random.randint(5, 500)
            self.elements[place] = Element(self.elements[place].job, "RUNNING")

    def detail(self, job: str, index: int) -> Element | None:
        return None


def commit(store: Store, task: Task) -> None:
    """An artifact without rows, and without waiting for the disk."""
    folder = store.folder(task.kind, task.key)
    folder.mkdir(parents=True)
    record = {"record.json": {"bytes": 2, "sha256": files.digest(b"{}")}}
    manifest: dict[str, Any] = {"key": task.key, "files": record, "facts": {}, "tables": {}}
    (folder / "record.json").write_text("{}")
    (folder / "manifest.json").write_text(json.dumps(manifest))


def planned(folder: Path, runs: int, *overrides: str, slurm: str = "pack: 4") -> Plan:
    file = folder / "simulated.yaml"
    text = STUDY.replace("SEEDS", ", ".join(map(str, range(runs))))
    file.write_text(text.replace("pack: 4", slurm))
    return make_plan(load_study(file, overrides=overrides))


def started(plan: Plan, root: Path, cluster: PretendedCluster) -> tuple[Driver, SlurmJobs]:
    jobs = SlurmJobs(root, plan.study, cluster)
    stages = list(plan.stages.values())
    return Driver(plan, stages, Store(root), Ledger(root), jobs), jobs


def detached(
    root: Path, runs: int, clock: Clock | None = None, **settings: Any
) -> tuple[Plan, PretendedCluster, Driver, SlurmJobs]:
    """A study all of whose stages are in the queue, and the driver that left them there."""
    plan = planned(root, runs)
    cluster = PretendedCluster(root, clock or Clock(), **settings)
    driver, jobs = started(plan, root, cluster)
    assert driver.detach() == 0
    return plan, cluster, driver, jobs


def ends(driver: Driver) -> int:
    """The exit code of a driver that must not wait for ever."""
    ticks = 0

    def watch(event: str, stage: object, content: object) -> None:
        nonlocal ticks
        ticks += 1
        assert ticks < 5000, "it waits for ever"

    driver.watch = watch
    return driver.run()
