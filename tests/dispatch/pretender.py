"""A driver with an executor that pretends to work."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.dispatch.driver import Driver
from harness.dispatch.executor import Event, PoolExecutor
from harness.dispatch.ledger import Attempt, Ledger
from harness.plan import Plan
from harness.plan.stages import Task
from harness.store import Store, records


class Pretender(PoolExecutor):
    """Commits empty artifacts, in random order, and fails the stages it is told to."""

    def __init__(self, store: Store, places: int = 3, fail: str = "", seed: int = 0) -> None:
        self.store, self.places, self.fail = store, places, fail
        self.running: dict[str, Task] = {}
        self.started: list[str] = []
        self.random = random.Random(seed)
        self.most = 0

    def free(self) -> int:
        return self.places - len(self.running)

    def start(self, task: Task, attempt: Attempt, alone: bool = False) -> None:
        for role, key in {**task.inputs, **task.after}.items():
            kinds = ("encode", "train", "sample", "reference", "complexity")
            assert key in self.store.committed(kinds), f"{task.label} started before its {role}"
        self.running[task.key] = task
        self.started.append(task.key)
        self.most = max(self.most, len(self.running))

    def poll(self, timeout: float) -> list[Event]:
        if not self.running:
            return []
        key = self.random.choice(sorted(self.running))
        task = self.running.pop(key)
        if self.fail and self.fail in task.label:
            return [Event("failed", key, {"failure": "error", "message": "ValueError: told to"})]
        self.commit(task)
        return [Event("done", key, {"ours": True})]

    def commit(self, task: Task) -> None:
        rows: dict[str, list[dict[str, Any]]] = {}
        if task.kind == "evaluate":
            rows = {"metrics": [{"key": task.key, "metric": "fd_x", "value": 1.0}]}
        about = {"measured": {"seconds": 1.0, "gflops": task.gflops, "device": "cpu"}}
        staging = self.store.staging(task.key)
        (staging / "payload.bin").write_bytes(b"payload")
        self.store.commit(task.kind, task.key, staging, rows, {"floor": {}}, about)
        records.reconcile_one(self.store, task.kind, task.key)

    def cancel(self, keys: Iterable[str]) -> None:
        pass

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


def drive(plan: Plan, root: Path, **given: Any) -> tuple[int, Driver, Pretender]:
    store = Store(root)
    executor = Pretender(store, **given)
    driver = Driver(plan, list(plan.stages.values()), store, Ledger(root), executor)
    return driver.run(), driver, executor
