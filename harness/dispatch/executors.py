"""Which executor a study's stages run by, and which one an attempt was given to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.components import registry
from harness.components.executor import FIRST_QUEUE, Executor
from harness.dispatch.ledger import Attempt
from harness.errors import BadInput
from harness.spec.study import Study


def executor_of(study: Study) -> Executor:
    """The component that `dispatch.executor` names."""
    return study.settings.dispatch.component


def given_to(attempt: Attempt) -> Executor | None:
    """The queue that an attempt was given to; None: none, or one that is not installed here."""
    if attempt.batch is None:
        return None
    try:
        made: Any = registry.get("executor", attempt.executor or FIRST_QUEUE)()
    except BadInput:
        return None
    return made  # type: ignore[no-any-return]


def queue_of(attempt: Attempt | None) -> Executor | None:
    """The queue that has the attempt, while it is written down as running; None: no queue has it,
    or that cannot be known here."""
    if attempt is None or attempt.state != "running":
        return None
    found = given_to(attempt)
    return found if found is not None and found.reachable() else None


def queues_called(attempts: Iterable[Attempt]) -> str:
    """The queues that attempts were given to, in a sentence."""
    found = {q.called() if (q := given_to(a)) else a.executor or "a queue" for a in attempts}
    return " and ".join(sorted(found))


def printed(attempt: Attempt) -> Path | None:
    """The output of the attempt's task outside its stages."""
    found = given_to(attempt)
    if found is None or attempt.batch is None:
        return None
    return found.printed(Path(attempt.log).parents[2], attempt.batch, attempt.index)
