"""Trainings that cost the same: which is best, and which of the others is told from it.

Each training counts at every measured step, and each way of sampling it for itself: objectives have
samplers of their own, so that one protocol alone does not compare them. Rows whose training
compute, and whose sampling compute, are alike within a tenth are one budget.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pandas as pd

from harness.analysis import selection, shared_draws
from harness.analysis.averaging import averaged
from harness.analysis.intervals import corrected, degrees, difference
from harness.analysis.metrics import higher_is_better

ALIKE = 0.10  # of compute, within a budget
COST = ("train_gflops", "sampling_gflops")
WAY = ("step", *COST, "sampler", "sampling_steps", "ema", "ema_length", "labels")


def alternatives(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row per training and way of sampling, by budget (ascending cost), the best first.

    Columns of `averaged`, WAY, `objective`, and: `budget` (0, 1, ...), `apart` (None: the
    best of its budget; True: told from the best; False: not) and `p` (of the difference from the
    best, not corrected). Told apart are those whose interval of the difference excludes 0, with
    Holm's correction over all pairs of the budget. Empty without values.
    """
    rows = selection.measured(metrics, metric)
    rows = rows[rows["train_gflops"].notna() & rows["sampling_gflops"].notna()]
    rows = selection.where(rows, [not p.guided for p in rows["protocol"]])
    if not len(rows):
        return pd.DataFrame(columns=[*WAY, "label", "value", "se", "budget", "apart", "p"])
    many = rows.groupby("label")["samples"].transform("max")
    found = averaged(rows[rows["samples"] == many], (*WAY, "objective"))
    found["budget"] = _budgets(found)
    sign = -1 if higher_is_better(metric) else 1
    found = found.assign(_order=sign * found["value"])
    found = found.sort_values(["budget", "_order"]).drop(columns="_order").reset_index(drop=True)
    parts = [_judged(part) for _, part in found.groupby("budget", sort=True)]
    return pd.concat(parts, ignore_index=True)


def _budgets(found: pd.DataFrame) -> list[int]:
    """The number of each row's budget: the first whose first row costs the same."""
    order = found.sort_values(list(COST)).index
    firsts: list[tuple[float, float]] = []
    numbers: dict[Any, int] = {}
    for i in order:
        cost = (float(found.loc[i, COST[0]]), float(found.loc[i, COST[1]]))
        for number, first in enumerate(firsts):
            if all(
                abs(a / b - 1) <= ALIKE if b else a == b for a, b in zip(cost, first, strict=True)
            ):
                numbers[i] = number
                break
        else:
            numbers[i] = len(firsts)
            firsts.append(cost)
    return [numbers[i] for i in found.index]


def _judged(part: pd.DataFrame) -> pd.DataFrame:
    """One budget's rows, the best first, with `apart` and `p`."""
    rows = part.to_dict("records")
    pairs = list(combinations(range(len(rows)), 2))
    shared = shared_draws.covariance(part)
    found = [
        difference(
            rows[j]["value"], rows[i]["value"], _known(rows[j]["se"]), _known(rows[i]["se"]),
            degrees(rows[j]["se_df"]), degrees(rows[i]["se_df"]), covariance=float(shared[i, j]),
        )
        for i, j in pairs
    ]  # fmt: skip
    # Which is the best was seen in the same values: all pairs count, as any might have been asked.
    judged = [d for (i, _), d in zip(pairs, corrected(found), strict=True) if i == 0]
    out = part.copy()
    out["apart"] = pd.Series([None, *(not d.tie for d in judged)], index=part.index, dtype=object)
    out["p"] = pd.Series([float("nan"), *(d.p for d in judged)], index=part.index)
    return out


def _known(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
