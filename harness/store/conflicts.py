"""One key, two records: the same number twice, or a contradiction that has to be named.

Results folders that meet (two labs' copied into one) may hold one key twice. A key says all that
determines a number except the bytes of data and weights, which are compared here by their
checksums; and the numbers themselves, which on a CPU repeat to rounding and on a GPU within their
spread.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.store import tables
from harness.store.spread import scale

CHECKSUMS = ("data_sha256", "extractor_sha256", "reference_sha256", "component_sha256")
NUMBERS = {"runs": ("loss",), "metrics": ("value", "floor"), "training": ("loss", "mse", "vb")}
ROUNDING = 1e-4  # relative; of a float32 training that another CPU's kernels repeat
ERRORS = 4.0  # standard errors, on a GPU

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Conflict:
    """Two record files that contradict each other about one key."""

    table: str
    key: str
    what: str
    files: tuple[Path, ...]

    def __str__(self) -> str:
        one, other = self.files[0], self.files[-1]
        return f"{one} and {other} contradict each other about {self.key[:12]}: {self.what}"


def identity(table: str, row: dict[str, Any]) -> tuple[Any, ...]:
    """Which of its stage's rows this is: by metric, by step."""
    return tuple(row.get(name) for name in tables.IDENTITY[table][1:])


def united(table: str, versions: Iterable[Rows]) -> Rows:
    """The rows of several records of one key that agree, each once: the first that says it."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for version in versions:
        for row in version:
            rows.setdefault(identity(table, row), row)
    return list(rows.values())


def lacks(table: str, one: Rows, other: Rows) -> bool:
    """Has `other` a row that `one` does not have, whatever its number?"""
    known = {identity(table, row) for row in one}
    return any(identity(table, row) not in known for row in other)


def contradiction(
    table: str, one: Rows, other: Rows, places: tuple[str, str] = ("one", "the other")
) -> str | None:
    """The disagreement of two records of one key; None where they are the same number.

    places: what the two are called in the sentence.

    A measurement that only one of them has is not a contradiction (a metric may be missing for
    want of memory). On a GPU a number without a recorded standard error is not judged.
    """
    here, there = places
    known = {identity(table, row): row for row in one}
    for row in other:
        mine = known.get(identity(table, row))
        if mine is None:
            continue
        name = str(row.get("model") or "a model")
        of = f"{name} {row['metric']}" if table == "metrics" else name
        for column in CHECKSUMS:
            a, b = mine.get(column), row.get(column)
            if a is not None and b is not None and a != b:
                return f"{of}: {column} is {a[:12]} in {here} and {b[:12]} in {there}"
        for column in NUMBERS[table]:
            a, b = mine.get(column), row.get(column)
            if a is not None and b is not None and _apart(a, b, mine, row):
                return f"{of}: {column} is {a:.6g} in {here} and {b:.6g} in {there}"
    return None


def _apart(a: float, b: float, mine: dict[str, Any], row: dict[str, Any]) -> bool:
    if math.isclose(a, b, rel_tol=ROUNDING, abs_tol=1e-9):
        return False
    if _on_cpu(mine) and _on_cpu(row):
        return True
    errors = [
        r["std"] * scale(r.get("std_method")) for r in (mine, row) if r.get("std") is not None
    ]
    # With a spread that is not a standard error (NaN) the comparison is false, so that nothing is
    # judged.
    return len(errors) == 2 and abs(a - b) > ERRORS * math.hypot(*errors)


def _on_cpu(row: dict[str, Any]) -> bool:
    """Was it made on a CPU, by the words of stages.execute.device_name? True for a silent row."""
    device = row.get("device")
    return device is None or str(device).endswith("cores)")
