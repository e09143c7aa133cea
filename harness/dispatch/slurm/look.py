"""Where a stage that was given to SLURM stands, for people."""

from __future__ import annotations

from typing import Any, Protocol

from harness.dispatch.executor import Event, Look
from harness.dispatch.ledger import Attempt
from harness.dispatch.slurm.queue import Queue
from harness.plan.stages import Task


class Jobs(Protocol):
    """What is asked of the jobs of a study (harness.dispatch.slurm.jobs.SlurmJobs)."""

    queue: Queue

    def adopt(self, task: Task, attempt: Attempt) -> Event | None:
        """None: it lives. Else how it ended."""
        ...

    def said(self, key: str) -> dict[str, Any]:
        """The last report of a stage."""
        ...

    def spoke(self, key: str) -> bool:
        """Had its task written anything?"""
        ...

    def state(self, key: str) -> str | None:
        """SLURM's word for its job."""
        ...

    def reason(self, key: str) -> str:
        """Why it does not run."""
        ...


def look(jobs: Jobs, task: Task, attempt: Attempt) -> Look:
    """Judge an attempt as the driver would, and quote its task and SLURM."""
    event = jobs.adopt(task, attempt)
    if event is not None:
        return Look.ended(event)
    said = jobs.said(task.key) if jobs.spoke(task.key) else {}
    if jobs.queue.elements is None:
        state = "running" if said.get("state") == "running" else "queued"
        note = f"{jobs.queue.trouble}: what its jobs do is told as last written down"
        return Look(state, "unknown, SLURM does not answer", said or None, note)
    if jobs.state(task.key) == "RUNNING":
        if said.get("state") == "running":
            return Look("running", "", said)
        return Look("queued", "their task runs and has not come to them yet")
    reason = jobs.reason(task.key)
    if said.get("state") == "requeued":
        reason = f"{said.get('failure')} {said.get('count')} times; {reason}"
    return Look("queued", reason)
