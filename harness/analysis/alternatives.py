"""Trainings that cost the same: which is best, and which of the others is told from it.

Each training counts at every measured step, and each way of sampling it for itself: objectives have
samplers of their own, so that one protocol alone does not compare them. Rows whose training
compute, and whose sampling compute, are alike within a tenth are one budget.

Where the trainings of a budget share two sets of samples (training seeds, sampling seeds, another
evaluation), the best is chosen on one, and its value and its differences are of the other
(harness.analysis.halves). Where they share one, the best was seen in the values that are reported.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pandas as pd

from harness.analysis import selection, shared_draws
from harness.analysis.averaging import averaged, pooled_spread
from harness.analysis.halves import Halves, halves
from harness.analysis.intervals import Difference, corrected, degrees, difference
from harness.analysis.metrics import higher_is_better

ALIKE = 0.10  # of compute, within a budget
COST = ("train_gflops", "sampling_gflops")
WAY = ("step", *COST, "sampler", "sampling_steps", "ema", "ema_length", "labels")
JUDGED = ("budget", "best", "chosen_on", "valued_on", "apart", "ahead", "gap", "gap_low",
          "gap_high", "p")  # fmt: skip
BY = ("entry", *WAY, "objective")  # an entry: one training at one step, sampled in one way


def alternatives(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row per training and way of sampling, by budget (ascending cost), the best first.

    Columns of `averaged`, WAY, `objective`, and JUDGED: `budget` (0, 1, ...); `best` of its budget;
    `chosen_on` and `valued_on`, as "seed 0" and "seed 1, 2": on which samples the best was chosen,
    and of which others the values of this row are; null where all values are of all samples.
    `gap`: the value less the best's on the same samples, with its 95 % interval by Holm's
    correction and the p-value, which is not corrected. `apart`: does the interval exclude 0? Null
    for the best itself, and for a training that has too few of the samples on which others were
    compared; its value is of all its samples, and it stands last. `ahead`: is it apart and better
    than what was chosen?

    The correction is over all differences from a best that was chosen on other samples; else over
    all pairs of the budget, as any might have been asked. Empty without values.
    """
    rows = selection.measured(metrics, metric)
    rows = rows[rows["train_gflops"].notna() & rows["sampling_gflops"].notna()]
    rows = selection.where(rows, [not p.guided for p in rows["protocol"]])
    if not len(rows):
        return pd.DataFrame(columns=[*WAY, "label", "value", "se", "basis", *JUDGED])
    entries = rows.groupby(["label", *WAY, "objective"], dropna=False, sort=False)
    rows = rows.assign(entry=entries.ngroup())
    many = rows.groupby("label")["samples"].transform("max")
    full, fewer = rows[rows["samples"] == many], rows[rows["samples"] < many]
    found = averaged(full, BY)
    found["budget"] = _budgets(found)
    divided = {}
    for number, part in found.groupby("budget", sort=False):
        own, others = (r[r["entry"].isin(part["entry"])] for r in (full, fewer))
        if len(part) > 1 and (of := halves(own, "entry", others)) is not None:
            divided[number] = of
    found = _valued(found, list(divided.values()))
    higher = higher_is_better(metric)
    parts = [_judged(part, divided.get(number), higher) for number, part in found.groupby("budget")]
    return pd.concat(parts, ignore_index=True).drop(columns="entry")


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


def _valued(found: pd.DataFrame, divided: list[Halves]) -> pd.DataFrame:
    """`found`, the values of divided budgets from the samples by which nothing was chosen.

    The spread over training seeds is pooled over all trainings and both halves: of two seeds each
    half has one.
    """
    budget = dict(zip(found["entry"], found["budget"], strict=True))
    spread = pooled_spread(found)
    parts = []
    for over_seeds in (True, False):
        kept = [of.kept for of in divided if of.of_trainings is over_seeds]
        if kept:
            parts.append(averaged(pd.concat(kept), BY, spread if over_seeds else None))
    done = {entry for part in parts for entry in part["entry"]}
    rest = found[~found["entry"].isin(done)]
    both = pd.concat([p for p in (rest, *parts) if len(p)], ignore_index=True)
    return both.assign(budget=[budget[entry] for entry in both["entry"]])


def _judged(part: pd.DataFrame, divided: Halves | None, higher: bool) -> pd.DataFrame:
    """One budget's rows, the best first, with JUDGED."""
    order = part["value"].astype(float) * (-1 if higher else 1)
    among = part["entry"].isin(divided.levels if divided else part["entry"])
    seen = part["entry"].iloc[int(order.to_numpy().argmin())]
    best = part["entry"] == (divided.best(higher)[0] if divided else seen)
    ranked = part.assign(_out=~among, _rest=~best, _order=order)
    out = ranked.sort_values(["_out", "_rest", "_order"]).drop(columns=["_out", "_rest", "_order"])
    rows, count = out.to_dict("records"), int(among.sum())
    pairs = [(0, j) for j in range(1, count)] if divided else list(combinations(range(count), 2))
    shared = shared_draws.covariance(out)
    gaps = [_gap(rows[j], rows[i], float(shared[i, j])) for i, j in pairs]
    judged = [d for (i, _), d in zip(pairs, corrected(gaps), strict=True) if i == 0]
    apart = [not d.tie for d in judged]
    ahead = [told and (d.value > 0) == higher for told, d in zip(apart, judged, strict=True)]
    nothing = [None] * (len(rows) - count)

    def column(values: list[Any], kind: Any) -> Any:
        return pd.Series([None, *values, *nothing], index=out.index, dtype=kind)

    said = (divided.chosen_on, divided.valued_on) if divided else (None, None)
    for name, text in zip(("chosen_on", "valued_on"), said, strict=True):
        of_these = [text] * count + nothing
        out[name] = pd.Series(of_these, index=out.index, dtype=object)
    out["best"] = [i == 0 for i in range(len(rows))]
    out["apart"] = column(apart, object)
    out["ahead"] = [False, *ahead, *(False for _ in nothing)]
    for name, values in (
        ("gap", [d.value for d in judged]),
        ("gap_low", [d.interval.low for d in judged]),
        ("gap_high", [d.interval.high for d in judged]),
        ("p", [d.p for d in judged]),
    ):
        out[name] = column(values, float)
    return out


def _gap(one: dict[Any, Any], best: dict[Any, Any], shared: float) -> Difference:
    """One value less the best's. shared: covariance of their errors."""
    errors = [_known(row["se"]) for row in (one, best)]
    dfs = [degrees(row["se_df"]) for row in (one, best)]
    return difference(one["value"], best["value"], *errors, *dfs, covariance=shared,
                      one_spread=one["basis"] == best["basis"] == "seeds")  # fmt: skip


def _known(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
