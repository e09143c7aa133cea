"""Where every stage of a study stands, for people: done, running, queued, failed, and why.

Reads; changes nothing. A stage on SLURM is judged as the driver judges it, so `status` is right
also when nobody watches the jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.slurm import SlurmJobs
from harness.dispatch.standing import Standing
from harness.plan.plan import Plan, Stage

STATES = ("done", "running", "queued", "again", "failed", "waiting")


@dataclass(frozen=True)
class Seen:
    """One stage: `state` is one of STATES."""

    state: str
    attempt: Attempt | None = None
    reason: str = ""  # why it is queued, waits or failed
    progress: Mapping[str, Any] | None = None  # done, total, unit, loss, images_per_second, left_s


def look(
    plan: Plan, stages: Iterable[Stage], state: Standing, ledger: Ledger, jobs: SlurmJobs | None
) -> tuple[dict[str, Seen], list[str]]:
    """Every stage by key, and what could not be found out, as sentences."""
    seen: dict[str, Seen] = {}
    notes: list[str] = []
    for stage in stages:
        key = stage.key
        if key in state.done:
            seen[key] = Seen("done")
            continue
        last = state.latest.get(key)
        if last is None:
            seen[key] = Seen("waiting")
        elif key in state.failed:
            seen[key] = Seen("failed", last, last.failure or "")
        elif last.state == "running":
            seen[key] = _running(plan, stage, last, ledger, jobs, notes)
        elif last.state in ("again", "failed", "forgiven"):
            seen[key] = Seen("again", last, f"{last.failure}: {last.error}")
        else:
            seen[key] = Seen("waiting", last, last.error or "")
    return seen, list(dict.fromkeys(notes))


def _running(
    plan: Plan,
    stage: Stage,
    last: Attempt,
    ledger: Ledger,
    jobs: SlurmJobs | None,
    notes: list[str],
) -> Seen:
    if last.batch is None:
        if ledger.alive(stage.key):
            return Seen("running", last)
        return Seen("waiting", last, "its driver is gone")
    if jobs is None:
        return Seen("running", last, "on SLURM")
    event = jobs.adopt(plan.task(stage), last)
    if event is None:
        said = jobs.said(stage.key) if jobs.spoke(stage.key) else {}
        if jobs.queue.elements is None:
            notes.append(f"{jobs.queue.trouble}: what its jobs do is told as last written down")
            state = "running" if said.get("state") == "running" else "queued"
            return Seen(state, last, "unknown, SLURM does not answer", said or None)
        if jobs.state(stage.key) == "RUNNING":
            if said.get("state") == "running":
                return Seen("running", last, "", said)
            return Seen("queued", last, "behind other stages of its task")
        reason = jobs.reasons.get(stage.key, "")
        if said.get("state") == "requeued":
            reason = f"{said.get('failure')} {said.get('count')} times; {reason}"
        return Seen("queued", last, reason)
    message = str(event.content.get("message") or "")
    if event.event == "done":
        return Seen("done", last)
    if event.event == "failed":
        return Seen("again", last, f"{event.content.get('failure')}: {message}")
    return Seen("waiting", last, message)


def counts(seen: Mapping[str, Seen], keys: Iterable[str]) -> dict[str, int]:
    """How many of `keys` are in each state."""
    found = dict.fromkeys(STATES, 0)
    for key in keys:
        found[seen[key].state] += 1
    return found
