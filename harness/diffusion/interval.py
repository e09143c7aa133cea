"""Which times a guidance interval holds, said once: for sampling, and for what sampling costs.

The network is given its time in float32, of which the objective's own is worked out again; a time
that lies on an end of the interval must not fall out of it by that rounding.
"""

from __future__ import annotations

ROUNDING = 1e-5  # of the time; steps of samplers lie much further apart


def holds(interval: tuple[float, float], time: float) -> bool:
    """low <= time <= high, both ends included, to rounding."""
    low, high = interval
    slack = ROUNDING * max(abs(time), ROUNDING)
    return low - slack <= time <= high + slack
