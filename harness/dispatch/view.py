"""Where every stage of a study stands, for people: done, running, queued, failed, and why.

Reads; changes nothing. A stage in a queue is judged as the driver judges it, so `status` is right
also when nobody watches the jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.dispatch.attempt_words import why
from harness.dispatch.executor import QueueExecutor
from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.study_state import StudyState
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
    plan: Plan,
    stages: Iterable[Stage],
    state: StudyState,
    ledger: Ledger,
    jobs: QueueExecutor | None,
) -> tuple[dict[str, Seen], list[str]]:
    """Every stage by key, in the plan's order, and what could not be found out, as sentences."""
    seen: dict[str, Seen] = {}
    notes: list[str] = []
    told = ledger.told()
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
            seen[key] = _running(plan, stage, last, ledger, jobs, notes, told.get(key))
        elif last.state == "again" or (last.state == "failed" and not last.batch):
            seen[key] = Seen("again", last, why(last))
        elif last.state == "forgiven":
            seen[key] = Seen("waiting", last)
        elif last.state == "stopped" and last.batch is None:
            seen[key] = Seen("waiting", last, STOPPED)
        else:
            seen[key] = Seen("waiting", last, f"{last.state}: {last.error}" if last.error else "")
        if seen[key].state == "waiting":
            seen[key] = _waiting(stage, seen)
    return seen, list(dict.fromkeys(notes))


def _waiting(stage: Stage, seen: Mapping[str, Seen]) -> Seen:
    """Why it waits: for what it needs, which comes before it in the plan, or for a driver."""
    own = seen[stage.key]
    needs = {seen[key].state for key in stage.needs if key in seen} - {"done"}
    if needs & {"failed"} or any(_blocked(seen[key]) for key in stage.needs if key in seen):
        return Seen("waiting", own.attempt, BLOCKED)
    if own.reason:
        return own
    return Seen("waiting", own.attempt, BEHIND if needs else READY)


BEHIND = "behind stages that are not done"
BLOCKED = "behind stages that failed"
READY = "ready to start"
STOPPED = "stopped, ready to go on where they were"


def _blocked(seen: Seen) -> bool:
    return seen.state == "waiting" and seen.reason == BLOCKED


def _running(
    plan: Plan,
    stage: Stage,
    last: Attempt,
    ledger: Ledger,
    jobs: QueueExecutor | None,
    notes: list[str],
    told: Mapping[str, Any] | None,
) -> Seen:
    if last.batch is None:
        if ledger.alive(stage.key):
            return Seen("running", last, "", told)
        return Seen("waiting", last, "lost: its driver died before it ended")
    if jobs is None:
        notes.append("the queue cannot be asked here: what jobs do is told as last written down")
        return Seen("running", last, "in a queue")
    found = jobs.look(plan.task(stage), last)
    if found.note is not None:
        notes.append(found.note)
    return Seen(found.state, last, found.reason, found.progress)


def counts(seen: Mapping[str, Seen], keys: Iterable[str]) -> dict[str, int]:
    """How many of `keys` are in each state."""
    found = dict.fromkeys(STATES, 0)
    for key in keys:
        found[seen[key].state] += 1
    return found
