"""What can be seen of a study: where its stages stand, who drives it, what it has spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.commands.common import Opened
from harness.commands.encoded import encoded
from harness.commands.remarks import unmeasured
from harness.dispatch import budget, identity, view
from harness.dispatch.budget import Spent
from harness.dispatch.claims import Owner
from harness.dispatch.executor import QueueExecutor
from harness.dispatch.executors import executor_of, queue_of
from harness.dispatch.ledger import Attempt
from harness.dispatch.view import Seen


@dataclass(frozen=True)
class Shown:
    """Everything that `status` tells."""

    seen: dict[str, Seen]  # by key, in the plan's order
    notes: list[str]
    drivers: list[Owner]
    spent: Spent

    @property
    def failed(self) -> list[Attempt]:
        """The last attempts of failed stages."""
        return [s.attempt for s in self.seen.values() if s.state == "failed" and s.attempt]

    @property
    def moves(self) -> bool:
        """Is anything at work that may change something?"""
        states = {s.state for s in self.seen.values()}
        return bool(states & {"running", "queued"} or (self.drivers and states - {"done"}))


def look(opened: Opened) -> Shown:
    """Read it all; change nothing."""
    history = opened.history()
    state = opened.state(history)
    jobs = queue(opened, state.latest.values())
    seen, notes = view.look(opened.plan, state.stages, state, opened.ledger, jobs)
    if jobs is not None:
        notes += jobs.foreign(opened.plan.stages)
    files = identity.look(opened.plan, opened.stages, opened.store)
    notes += [*files.changed, *files.notes, *identity.absent(opened.study)]
    notes += [*encoded(opened), *unmeasured(opened)]
    return Shown(seen, notes, drivers(opened), budget.spent(opened.plan, history, state.done))


def queue(opened: Opened, latest: Iterable[Attempt]) -> QueueExecutor | None:
    """What to ask about stages in a queue: that of the study, or that of its attempts; None where
    there is none, or it cannot be asked."""
    found = executor_of(opened.study)
    if found.policy != "queue":
        given = (queue_of(attempt) for attempt in latest)
        other = next((one for one in given if one is not None), None)
        if other is None:
            return None
        found = other
    if not opened.store.root.exists() or not found.reachable():
        return None
    watching: QueueExecutor = found.watch(opened.store.root, opened.study)
    return watching


def drivers(opened: Opened) -> list[Owner]:
    """The processes that drive this study."""
    mine = (opened.study.name, opened.study.profile)
    return [o for o in opened.ledger.drivers() if (o.study, o.profile) == mine]
