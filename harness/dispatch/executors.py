"""Which executor a study's stages run by, and which one an attempt was given to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.components import registry
from harness.components.executor import BUILT_IN, Executor
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
        made: Any = registry.get("executor", attempt.executor or first_queue())()
    except BadInput:
        return None
    return made  # type: ignore[no-any-return]


def first_queue() -> str:
    """The queue of attempts that do not say which one they were given to: the first built-in one,
    which had no other beside it when they were written."""
    return next(name for name in BUILT_IN if _policy(name) == "queue")


def _policy(name: str) -> str:
    found: Any = registry.get("executor", name)
    return str(found.policy)


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
