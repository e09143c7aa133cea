"""Time that a study has taken so far, against its budget, for `run` and `status`."""

from __future__ import annotations

import time

from harness.commands.common import Opened, duration
from harness.dispatch import budget
from harness.dispatch.budget import Spent

FRESH_S = 60.0  # how long a sum is shown before the ledger is read again
SHOWN = 0.05  # GPU-hours: fewer would read as 0.0
PATIENCE = 50  # and this many times as long as reading took: ten thousand attempts are not cheap


def in_words(spent: Spent, gpu_hours: float | None) -> str:
    """ "12.3 of 500 GPU-hours"; without GPUs and a budget "2 min 10 s of work"."""
    return _gpu_hours(spent, gpu_hours) or f"{duration(spent.kept_s + spent.lost_s)} of work"


def _gpu_hours(spent: Spent, budget: float | None) -> str:
    hours = spent.kept_gpu_hours + spent.lost_gpu_hours
    of = f" of {budget:,.0f}" if budget else ""
    return f"{hours:,.1f}{of} GPU-hours" if hours >= SHOWN or budget else ""


class Spending:
    """The sum over all ended attempts of a study, read from the ledger now and then."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.budget = opened.study.settings.dispatch.gpu_hours
        self._spent = Spent()
        self._until = float("-inf")

    def time_spent(self) -> str:
        """The time spent, in words."""
        return in_words(self._now(), self.budget)

    def gpu_hours(self) -> str:
        """The GPU-hours spent, in words; "" without GPUs and a budget."""
        return _gpu_hours(self._now(), self.budget)

    def _now(self) -> Spent:
        """The sum, at most a minute old; older where reading it is dear."""
        began = time.monotonic()
        if began >= self._until:
            self._spent = budget.spent(self.opened.plan, self.opened.history())
            self._until = began + max(FRESH_S, PATIENCE * (time.monotonic() - began))
        return self._spent
