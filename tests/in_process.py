"""`run` in the test's own process: one start of torch for all stages, and patches that hold."""

from __future__ import annotations

import time
from typing import Any

import pytest

from harness.dispatch.executor import Event, PoolExecutor
from harness.store import Store


class InThisProcess(PoolExecutor):
    """An executor that does the work where the test is: one start of torch for all of them."""

    def __init__(self, store: Store) -> None:
        self.store, self.waiting = store, list[Any]()

    def free(self) -> int:
        return 0 if self.waiting else 1

    def start(self, task: Any, *_: Any, **__: Any) -> None:
        self.waiting.append(task)

    def poll(self, timeout: float) -> list[Event]:
        from harness.stages.execute import classify, execute

        if not self.waiting:
            time.sleep(min(timeout, 0.01))
            return []
        task = self.waiting.pop()
        try:
            return [Event("done", task.key, {"ours": execute(task, self.store)})]
        except Exception as error:
            content = {"failure": classify(error), "message": f"{type(error).__name__}: {error}"}
            return [Event("failed", task.key, content)]

    def stop(self, *_: Any) -> None:
        pass

    cancel = close = stop


def here_alone(patch: pytest.MonkeyPatch) -> None:
    """`run` does the work of local workers in this process."""
    patch.setattr(
        "harness.dispatch.local.workers.LocalWorkers", lambda root, _: InThisProcess(Store(root))
    )
