"""Objectives compared, each sampled by its own sampler at as many evaluations of the network.

What DDPM's ancestral sampler, an Euler step or Heun's method needs of one objective no other can
give, so that no two objectives share a way of sampling. They are compared where all else of it is
equal and a sample costs as many evaluations, to within a tenth.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import pandas as pd

from harness.analysis import selection
from harness.analysis.alternatives import ALIKE
from harness.analysis.labels import plain
from harness.analysis.selection import where

OF_SAMPLER = ("sampler", "sampling_steps", "eta", "clip")  # what may differ between objectives


@dataclass(frozen=True)
class Sampled:
    """Values of several objectives, and how each was sampled."""

    rows: pd.DataFrame  # as of selection.final_rows; empty: fewer than two objectives compare
    ways: dict[str, str] = field(default_factory=dict)  # objective -> "heun, 31 evaluations"


def sampled(metrics: pd.DataFrame, metric: str) -> Sampled:
    """The values of `metric` by which objectives compare, at the compared step.

    metrics: records of samples against one reference. The compared way of sampling
    (`selection.final_protocol`) is of one objective or more; of each other one it is the way that
    covers the most models, then that of the nearest number of evaluations.
    """
    rows = selection.measured(metrics, metric)
    chosen = selection.final_protocol(metrics, metric)
    if chosen is None or "objective" not in rows or rows["objective"].nunique() < 2:
        return Sampled(rows.iloc[:0])
    protocol, step = chosen
    free = dict.fromkeys(OF_SAMPLER)
    asked = dataclasses.replace(protocol, **free)
    rows = where(rows, [dataclasses.replace(p, **free) == asked for p in rows["protocol"]])
    rows = where(rows, [plain(s) == step for s in rows["step"]])
    rows = rows.assign(_evaluations=(rows["sampling_gflops"] / rows["gflops"]).astype(float))
    own = where(rows, [p == protocol for p in rows["protocol"]])
    wanted = float(own["_evaluations"].median())
    if not wanted > 0:  # of old records it is not known
        return Sampled(rows.iloc[:0])
    parts = dict(iter(own.groupby("objective", sort=False)))
    others = rows[~rows["objective"].isin(list(parts))]
    for name, part in others.groupby("objective", sort=False):
        best = _nearest(part, wanted)
        if best is not None:
            parts[name] = best
    if len(parts) < 2:
        return Sampled(rows.iloc[:0])
    ways = {str(name): _way(part) for name, part in parts.items()}
    return Sampled(pd.concat(parts.values()).drop(columns="_evaluations"), ways)


def _nearest(rows: pd.DataFrame, wanted: float) -> pd.DataFrame | None:
    """Of one objective the rows of one way of sampling; None: none costs about as much."""
    found = []
    for protocol in dict.fromkeys(rows["protocol"]):
        part = where(rows, [p == protocol for p in rows["protocol"]])
        number = float(part["_evaluations"].median())
        off = abs(math.log(number / wanted)) if number > 0 else math.inf
        if off <= math.log(1 + ALIKE):
            found.append((-part["label"].nunique(), off, repr(protocol), part))
    return min(found, key=lambda f: f[:3])[3] if found else None


def _way(rows: pd.DataFrame) -> str:
    """How the values of one objective were sampled: "heun, 31 evaluations"."""
    sampler = rows["protocol"].iloc[0].sampler or "unknown sampler"
    number = round(float(rows["_evaluations"].median()))
    return f"{sampler}, {number:,} evaluation{'s' * (number != 1)}"
