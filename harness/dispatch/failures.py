"""What is done about a failure, by its class.

One policy for local workers and clusters. Within a run an attempt that was killed, lost, preempted,
out of memory or hit by its environment is tried again (state `again`) as often as its class allows,
after a pause that grows, and with more memory or time where that is what was missing and more can
be had; then it is `failed`. A new run tries it anew. A pool, which has somebody in front of it,
tries every failure, since the cause may be gone. A queue tries an error of the code or of the input
only once something has changed that may have caused it (harness.dispatch.circumstances), or with
`retry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.remedies import Remedy, of_device


@dataclass(frozen=True)
class Policy:
    """The policy for one class of failure."""

    retries: int  # tries after the first
    wait_s: float  # before the first of them; doubles each time, up to MOST_WAIT_S
    more: Literal["memory", "time"] | None = None  # given 1.5 times as much each time
    meaning: str = ""


MOST_WAIT_S = 600.0
GROWTH = 1.5
WITHOUT_MORE = 1  # tries after the first, where they can have no more than it had
POLICIES: dict[str, Policy] = {
    "preempted": Policy(1000, 5, None, "its job was evicted by one of higher priority"),
    "timed out": Policy(20, 0, "time", "its time limit ended before it could checkpoint"),
    "node failure": Policy(5, 30, None, "its node went down"),
    "out of memory": Policy(2, 10, "memory", "it needed more memory than it was given"),
    "killed": Policy(3, 10, None, "its process was killed"),
    "lost": Policy(3, 10, None, "the cluster no longer knows its job"),
    "environment": Policy(3, 60, None, "a disk, a network or a device failed"),
    "error": Policy(1, 5, None, "an error in the code or the recipe"),
    "bad input": Policy(0, 0, None, "the study, the data or a file cannot be used"),
}

OWN = ("error", "bad input")  # under the same circumstances, another try would only repeat them


@dataclass(frozen=True)
class Verdict:
    """Is a failed stage tried again, and after how many seconds?"""

    again: bool
    wait_s: float = 0.0


def since_forgiven(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The attempts after the last one that failed for good: with the next one the count began
    anew."""
    found: list[Attempt] = []
    for attempt in attempts:
        if attempt.state in ("failed", "forgiven"):
            found = []
        else:
            found.append(attempt)
    return found


def verdict(
    attempts: Iterable[Attempt],
    failure: str,
    limits: Mapping[str, int],
    pace: float = 1.0,
    remedy: Remedy | None = None,
) -> Verdict:
    """Decide what to do after another `failure`, given the attempts that ended before it.

    `limits` overrides the number of retries by class (dispatch.retries); `pace` scales the pauses;
    `remedy` is what is done about memory or time that was too little.
    """
    policy = POLICIES.get(failure, POLICIES["error"])
    retries = policy.retries
    if remedy is not None and not remedy.differs:
        retries = min(retries, WITHOUT_MORE)
    before = sum(a.failure == failure for a in since_forgiven(attempts) if a.state == "again")
    if before >= limits.get(failure, retries):
        return Verdict(False)
    return Verdict(True, _pause(policy, before, pace))


def _pause(policy: Policy, before: int, pace: float) -> float:
    """Seconds; they double with each failure of the class before this one."""
    return min(policy.wait_s * 2.0 ** min(before, 20), MOST_WAIT_S) * pace


def growth(attempts: Iterable[Attempt]) -> tuple[float, float]:
    """Factors of (memory, time) that the next attempt is given."""
    factors = {"memory": 1.0, "time": 1.0}
    for attempt in since_forgiven(attempts):
        policy = POLICIES.get(attempt.failure or "")
        if policy is None or policy.more is None or of_device(attempt.error):
            continue
        if attempt.state == "again":
            factors[policy.more] *= GROWTH
    return factors["memory"], factors["time"]


def settle(
    ledger: Ledger,
    attempt: Attempt,
    failure: str,
    message: str | None,
    limits: Mapping[str, int],
    counts: Callable[[Attempt], bool] = lambda before: True,
    pace: float = 1.0,
    remedy: Remedy | None = None,
) -> tuple[Attempt, Verdict]:
    """Write down a failed attempt, as `again` or `failed`. Twice is as good as once.

    The task on the compute node and the driver both call it: whoever is first decides. `counts`
    says which of the attempts before it count towards the limit; `remedy` is what is done about
    memory or time that was too little, None for other failures.
    """
    now = ledger.read(attempt)
    history = [a for a in ledger.attempts(attempt.key) if a.id != attempt.id and counts(a)]
    if now.state in ("again", "failed", "forgiven"):
        policy = POLICIES.get(now.failure or "", POLICIES["error"])
        before = sum(a.failure == now.failure for a in since_forgiven(history))
        return now, Verdict(now.state != "failed", _pause(policy, before, pace))
    found = verdict(history, failure, limits, pace, remedy)
    if found.again:
        how = None if remedy is None else remedy.again
        return ledger.end(attempt, "again", failure, message, next_try=how), found
    if remedy is not None and remedy.end:
        message = f"{message}; {remedy.end}"
    return ledger.end(attempt, "failed", failure, message), found
