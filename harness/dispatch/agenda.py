"""A driver's work: which stages wait, run, are done, failed or cannot run. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.dispatch.ledger import Attempt
from harness.plan.plan import Stage, critical_path
from harness.plan.wanted import BESIDE

# What unblocks everything first, then numbers (they are quick), then the longest chain.
FIRST = {"encode": 0, "reference": 1, "complexity": 2}
FIRST |= dict.fromkeys(("evaluate", *BESIDE), 3)
# These are not started where all that they lead to is behind a failed stage.
COSTLY = ("encode", "train", "sample")


@dataclass
class Agenda:
    """The stages of one driver. Every one of them is in exactly one of the states below."""

    stages: dict[str, Stage]  # by key, in the plan's order
    done: set[str] = field(default_factory=set)
    failed: dict[str, Attempt] = field(default_factory=dict)
    running: dict[str, Attempt] = field(default_factory=dict)  # ours
    elsewhere: set[str] = field(default_factory=set)  # another driver's, or a queue's beside us
    waiting: dict[str, Stage] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)  # behind failed ones, or held
    held: set[str] = field(default_factory=set)  # of those: they would lead only to failed ones
    keep_going: bool = False  # do also what leads only to failed stages
    not_before: dict[str, float] = field(default_factory=dict)  # when one may be tried again
    idle: list[str] = field(default_factory=list)  # at work, or in a queue, only for failed stages
    given: set[str] = field(default_factory=set)  # what ours go on from, and not our stage

    def __post_init__(self) -> None:
        self._sort()

    def _sort(self) -> None:
        self.weight = critical_path(self.stages)
        self.order = {key: i for i, key in enumerate(self.stages)}

    def begin(
        self,
        stages: dict[str, Stage],
        done: set[str],
        failed: dict[str, Attempt],
        given: set[str] | None = None,
    ) -> None:
        """Take stock, perhaps again. A stage that is neither done nor failed nor at work waits, or
        is blocked."""
        self.stages, self.done, self.failed, self.given = stages, done, dict(failed), given or set()
        self._sort()
        self.blocked.clear()
        self.held.clear()
        self.idle.clear()
        over = done | self.failed.keys() | self.running.keys() | self.elsewhere
        self.waiting = {k: s for k, s in stages.items() if k not in over}
        self.block(self.failed)

    @property
    def open(self) -> bool:
        """Is there anything that is not over?"""
        return bool(self.waiting or self.running or self.elsewhere)

    def ready(self, now: float | None = None) -> list[Stage]:
        """Stages whose needs are done, most urgent first; at the time `now`, or whenever."""
        here = self.done | self.given if self.given else self.done
        found = [s for s in self.waiting.values() if all(need in here for need in s.needs)]
        if self.not_before and now is not None:
            found = [s for s in found if self.not_before.get(s.key, 0.0) <= now]
        return sorted(found, key=lambda s: (FIRST.get(s.kind, 4), -self.weight[s.key]))

    def started(self, key: str, attempt: Attempt) -> None:
        """An attempt at a waiting stage has begun, or was adopted."""
        self.waiting.pop(key, None)
        self.running[key] = attempt

    def leave(self, key: str) -> None:
        """Somebody else has it."""
        self.waiting.pop(key, None)
        self.elsewhere.add(key)

    def again(self, key: str, not_before: float = 0.0) -> None:
        """It waits once more, for a time at the earliest."""
        self.running.pop(key, None)
        self.elsewhere.discard(key)
        if key not in self.blocked:
            self.waiting[key] = self.stages[key]
            if not_before:
                self.not_before[key] = not_before

    def finish(self, key: str) -> None:
        """A committed artifact is there."""
        self.waiting.pop(key, None)
        self.running.pop(key, None)
        self.elsewhere.discard(key)
        self.done.add(key)

    def fail(self, attempt: Attempt) -> None:
        """Neither it nor what needs it is tried again by this driver."""
        self.waiting.pop(attempt.key, None)
        self.running.pop(attempt.key, None)
        self.elsewhere.discard(attempt.key)
        self.failed[attempt.key] = attempt
        self.block([attempt.key])

    def block(self, failed: Iterable[str]) -> None:
        """Everything downstream of failed stages cannot run."""
        lost = set(failed)
        for key, stage in self.stages.items():
            if lost and key not in self.done and not lost.isdisjoint(stage.needs):
                lost.add(key)
                self.waiting.pop(key, None)
                if key not in self.failed:
                    self.blocked.add(key)  # one that a queue has is cancelled there
        if lost and not self.keep_going:
            self._hold()

    def _hold(self) -> None:
        """Start nothing whose every use is behind a failed stage: a training whose reference was
        refused would cost its weeks, and could not be measured."""
        useful: set[str] = set()  # a stage that leads to one that can be done
        used: set[str] = set()  # a stage that another one needs
        for key in reversed(self.order):  # what needs a stage comes before it here
            if key in self.failed or key in self.blocked:
                used |= self.stages[key].needs
                continue
            if key not in used or key in useful or self.stages[key].kind not in COSTLY:
                useful |= {key, *self.stages[key].needs}
            used |= self.stages[key].needs
        idle = used - useful
        for key in [k for k in self.waiting if k in idle]:
            self.hold(key)
        self.idle = [key for key in self.running if key in idle]

    def hold(self, key: str) -> None:
        """It leads only to failed stages, and is not begun."""
        self.waiting.pop(key, None)
        self.running.pop(key, None)
        self.blocked.add(key)
        self.held.add(key)
