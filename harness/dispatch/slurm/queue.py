"""What SLURM last said about our jobs. It is asked now and then, and seldom while nothing changes.

A question that was not answered changes nothing: until SLURM answers, nothing is known.
"""

from __future__ import annotations

import math
import time

from harness.dispatch.slurm.cluster import Cluster, Element, Unreachable
from harness.dispatch.slurm.ended import SAYS_ALL

FIRST_ASK_S, MOST_ASK_S = 1.0, 20.0  # between looks at the queue
ASK_AGAIN_S = 60.0  # between questions about a job that is put back into the queue


class Queue:
    """The last answer, and when to ask again."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.elements: dict[str, dict[int, Element]] | None = None  # None until the first answer
        self.trouble: str | None = None  # why the last question was not answered
        # per ended element: what squeue said, and what was found out about it then
        self._details: dict[tuple[str, int], tuple[Element | None, Element | None]] = {}
        self._restarts: dict[str, tuple[float, int]] = {}  # by batch: when it was asked, the answer
        self._told: str | None = None  # the trouble that `news` told
        self._asked: float | None = None
        self._wait_s = FIRST_ASK_S

    def look(self, wait_s: float | None = None) -> bool:
        """Ask, at most every `wait_s` (default: the present pace). True: a new answer came."""
        wait_s = self._wait_s if wait_s is None else wait_s
        if self._asked is not None and time.monotonic() - self._asked < wait_s:
            return False
        try:
            self.elements = self.cluster.queue()
            self.trouble = self._told = None
            self._wait_s = min(self._wait_s * 1.5, MOST_ASK_S)
        except Unreachable as error:
            self.trouble = str(error)
            self._wait_s = MOST_ASK_S
        self._asked = time.monotonic()  # now: an answer may have taken a minute
        return self.trouble is None

    def news(self) -> str | None:
        """The trouble, once per outage."""
        if self.trouble is None or self._told is not None:
            return None
        self._told = self.trouble
        return self.trouble

    def hurry(self) -> None:
        """Something has changed: ask at the quickest pace again."""
        if self.trouble is None:
            self._wait_s = FIRST_ASK_S

    def at(self, batch: str, index: int) -> Element | None:
        """An array element, None when SLURM does not have it (or nothing is known)."""
        return (self.elements or {}).get(batch, {}).get(index)

    def detail(self, batch: str, index: int, job: str, told: Element | None) -> Element | None:
        """`told` by squeue, with how it ended: asked once per element, and only where needed."""
        if told is not None and (told.exit_code or told.state in SAYS_ALL):
            return told
        place = batch, index
        if place in self._details and self._details[place][0] == told:
            return self._details[place][1]
        found = self.cluster.detail(job, index)
        if found is None or found.name not in ("", batch):  # an id that was used again
            found = told
        if found is None or not found.live:  # one that lives may end
            self._details[place] = (told, found)
        return found

    def restarts(self, batch: str, index: int, job: str) -> int:
        """How often SLURM has put a job back into the queue: of one element for its whole batch,
        asked once a minute."""
        asked, found = self._restarts.get(batch, (-math.inf, 0))
        now = time.monotonic()
        if now - asked >= ASK_AGAIN_S:
            detail = self.cluster.detail(job, index)
            found = 0 if detail is None or detail.name not in ("", batch) else detail.restarts
            self._restarts[batch] = now, found
        return found
