"""Stages that were given to a queue, as seen by a driver that runs its stages itself.

Both would write the same scratch checkpoints, so what lives in a queue is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.dispatch.executor import QueueExecutor
from harness.dispatch.executors import queue_of, queues_called
from harness.dispatch.ledger import Attempt, Ledger, measured
from harness.errors import BadInput
from harness.plan.plan import Plan


def settle(plan: Plan, ledger: Ledger, latest: Mapping[str, Attempt]) -> None:
    """Stages given to a queue before this run: the dead are written down as lost.

    Raises BadInput when some live: two processes would share their checkpoints.
    """
    living, queue, trouble = living_jobs(plan, ledger, latest)
    if living:
        silent = f" ({trouble})" if trouble else ""
        called = queues_called(latest[key] for key in living)
        raise BadInput(
            f"{len(living):,} stages of {plan.study.name} were given to {called} and are not over "
            f"there{silent}: go on with them (--executor {queue}), or end them with `harness "
            "cancel` before you run them here"
        )


def may_live(attempt: Attempt | None) -> bool:
    """May a job be working on this attempt? Where its queue cannot be asked, nothing is known."""
    return queue_of(attempt) is not None


def living_jobs(
    plan: Plan, ledger: Ledger, latest: Mapping[str, Attempt]
) -> tuple[set[str], str, str | None]:
    """Keys of attempts that live in a queue, its name, and why it did not answer, if it did not.

    Those whose jobs are over are written down as lost.
    """
    opened: dict[str, QueueExecutor] = {}
    living: set[str] = set()
    for key, attempt in latest.items():
        queue = queue_of(attempt)
        if queue is None:
            continue
        if queue.name not in opened:
            opened[queue.name] = queue.open(ledger.root, plan.study)
        event = opened[queue.name].adopt(plan.task(plan.stages[key]), attempt)
        if event is None:
            living.add(key)
        elif ledger.read(attempt).state == "running":  # its task has not just said how it ended
            message = str(event.content.get("message") or event.event)
            ledger.end(measured(attempt, event.content), "lost", "lost", message)
    troubles = [said for one in opened.values() if (said := one.trouble())]
    return living, " and ".join(opened), "; ".join(troubles) or None


def still_living(plan: Plan, ledger: Ledger, keys: Iterable[str]) -> set[str]:
    """Stages that a queue was given, that are not over, and that no process claims."""
    latest = {k: a for k in keys if (a := ledger.last(k)) is not None}
    unclaimed = {k: a for k, a in latest.items() if not ledger.alive(k)}  # by who submits it
    return living_jobs(plan, ledger, unclaimed)[0]
