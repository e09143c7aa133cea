"""This machine as an executor: `dispatch.executor: local`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.components.executor import Executor


class Local(Executor):
    """Warm worker processes on this machine: one per GPU, or per few CPU cores."""

    name: ClassVar[str] = "local"
    policy: ClassVar[Literal["pool", "queue"]] = "pool"

    def open(self, root: Path, study: Any) -> Any:
        from harness.dispatch.local.workers import LocalWorkers

        return LocalWorkers(root, study.settings.dispatch)

    def check(self, study: Any) -> list[str]:
        from harness.dispatch.local.places import problems

        return problems(study)

    def describe(self, study: Any) -> str:
        from harness.dispatch.local.places import described

        return described(study)

    def processes(self, study: Any, kind: str) -> int:
        return int(study.settings.dispatch.local.get(kind, 1))
