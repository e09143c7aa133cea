"""How slow the machine is just now: limits of processor time are meant for an idle core."""

from __future__ import annotations

import time

LOOP = 1_000_000
IDLE_S = 0.045  # that the loop takes on an idle core of the machine that the limits were set on


def slowness() -> float:
    """Times that this core is slower at this moment than an idle one; 1 at least.

    Other processes slow a core down in processor time too: they share its caches, and often its
    execution units.
    """
    began = time.process_time()
    sum(i for i in range(LOOP))
    return max(1.0, (time.process_time() - began) / IDLE_S)
