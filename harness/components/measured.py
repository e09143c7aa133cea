"""What a metric gives: a value, or the reason why there is none.

It lies apart from the metrics' contract (harness.components.metric), because a metric's arguments
raise `Absent` as well, and the contract names their types.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

INCEPTION = "inception-2015"  # the features on which metrics have the names of papers


class Absent(Exception):
    """Why a metric cannot be computed of these features."""


@dataclass(frozen=True)
class Value:
    """A metric's value, its standard error with degrees of freedom (None: no spread), and what
    made it (`details`: strings, numbers, lists of numbers).

    influence: how much groups of samples move the value (harness.metrics.influence.grouped), by
    which values of the same draws are compared; None: not known."""

    value: float
    std: float | None = None
    std_df: float | None = None
    std_method: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    influence: tuple[float, ...] | None = None
