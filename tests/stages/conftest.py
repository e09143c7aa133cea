"""A study small enough to run whole stages in a test, in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import load_study
from harness.plan.build import make_plan
from harness.plan.plan import Plan, Stage
from harness.plan.stages import Task
from harness.stages.execute import execute
from harness.store import Store, codec
from harness.store.results import RESULTS

torch.set_num_threads(1)

STUDY = """
study: tiny
title: A study for tests
model: {depth: 2, width: 16, heads: 2, patch_size: 4}
diffusion: {steps: 50}
data: {name: glyphs, image_size: 8, channels: 1, num_classes: 10, train_images: 40, flip: true}
train:
  steps: 12
  batch_size: 8
  learning_rate: 1e-3
  ema: 0.9
  log_every: 4
reference:
  extractor_images: 60
  extractor_steps: 4
  images: 60
  recall_images: 40
  floor_images: 30
evaluations:
  final: {sampling_steps: 3, samples: 40, split_size: 40, batch_size: 16}
dispatch: {device: cpu}
profiles: {laptop: {}}
"""


class Laboratory:
    """A results folder, and the stages of the study above by kind."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / "results")
        (root / "study.yaml").write_text(STUDY)

    def copy(self, root: Path) -> Laboratory:
        """The same results in a folder of their own."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Laboratory(root)

    def plan(self, *overrides: str) -> Plan:
        return make_plan(load_study(self.root / "study.yaml", None, overrides))

    def tasks(self, kind: str, *overrides: str, **place: Any) -> list[Task]:
        """The study's tasks of one kind; `place` replaces fields of their Place."""
        plan = self.plan(*overrides)
        found = [plan.task(s) for s in plan.stages.values() if s.kind == kind]
        return [replace(t, place=replace(t.place, **place)) for t in found]

    def task(self, kind: str, *overrides: str, **place: Any) -> Task:
        return self.tasks(kind, *overrides, **place)[-1]

    def make(self, task: Task, *overrides: str) -> None:
        """Run what `task` needs, so that it can run itself."""
        plan = self.plan(*overrides)
        for stage in _before(plan, task.key):
            if self.store.manifest(stage.kind, stage.key) is None:
                execute(plan.task(stage), self.store)

    def run(
        self,
        task: Task,
        stopping: Callable[[], bool] = lambda: False,
        progress: Callable[..., None] = lambda **_: None,
    ) -> bool:
        return execute(task, self.store, progress, stopping)

    def manifest(self, task: Task) -> dict[str, Any]:
        """As JSON."""
        assert self.store.manifest(task.kind, task.key) is not None
        return json.loads((self.folder(task) / "manifest.json").read_text())

    def result(self, task: Task) -> Any:
        """What the stage left besides files."""
        found = self.store.manifest(task.kind, task.key)
        assert found is not None
        return codec.result(found, RESULTS[task.kind])

    def folder(self, task: Task) -> Path:
        return self.store.folder(task.kind, task.key)

    def rows(self, task: Task, table: str) -> list[dict[str, Any]]:
        return json.loads((self.folder(task) / "record.json").read_text()).get(table, [])


def _before(plan: Plan, key: str) -> Iterable[Stage]:
    needed = set(plan.stages[key].needs)
    for earlier in reversed(list(plan.stages)):
        if earlier in needed:
            needed |= plan.stages[earlier].needs
    return [s for k, s in plan.stages.items() if k in needed]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """Everything a train and an evaluate stage need, made once."""
    laboratory = Laboratory(tmp_path_factory.mktemp("prepared"))
    for kind in ("encode", "complexity", "reference"):
        laboratory.run(laboratory.task(kind))
    return laboratory


@pytest.fixture
def laboratory(prepared: Laboratory, tmp_path: Path) -> Laboratory:
    """A results folder of the test's own, prepared."""
    return prepared.copy(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(prepared: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    laboratory = prepared.copy(tmp_path_factory.mktemp("undisturbed"))
    laboratory.run(laboratory.task("train"))
    return laboratory
