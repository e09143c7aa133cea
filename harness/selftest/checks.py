"""What one check found, what it expected, and where that is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["passed", "failed", "not checked", "told"]


@dataclass(frozen=True)
class Check:
    """One comparison. `told` is a number without a published value to hold it against."""

    name: str
    status: Status
    found: str
    expected: str = ""
    source: str = ""  # who published what is expected


def same(name: str, found: str, expected: str, source: str) -> Check:
    """Two texts (checksums, shapes) that must agree."""
    return Check(name, "passed" if found == expected else "failed", found, expected, source)


def within(
    name: str,
    found: float,
    expected: str,
    source: str,
    *,
    least: float = float("-inf"),
    most: float = float("inf"),
    digits: int = 5,
) -> Check:
    """A number that must lie in [least, most]; NaN lies nowhere."""
    passed = least <= found <= most
    return Check(name, "passed" if passed else "failed", f"{found:.{digits}g}", expected, source)
