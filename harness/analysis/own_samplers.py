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
from harness.analysis.protocol import Protocol
from harness.analysis.selection import where

OF_SAMPLER = ("sampler", "sampling_steps", "eta", "clip")  # what may differ between objectives
APART = 0.1  # evaluations of the network that differ by more are not compared


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
    rows = where(rows, [_alike(p, protocol) for p in rows["protocol"]])
    rows = rows[rows["step"].isna() if step is None else rows["step"].eq(step).fillna(False)]
    evaluations = (rows["sampling_gflops"] / rows["gflops"]).astype(float)
    rows = rows.assign(_evaluations=evaluations)
    own = where(rows, [p == protocol for p in rows["protocol"]])
    wanted = float(own["_evaluations"].median())
    if not wanted > 0:  # of old records it is not known
        return Sampled(rows.iloc[:0])
    parts, ways = [own], {}
    for name, part in own.groupby("objective", sort=False):
        ways[str(name)] = _words(protocol, float(part["_evaluations"].median()))
    others = rows[~rows["objective"].isin(list(ways)) & rows["objective"].notna()]
    for name, part in others.groupby("objective", sort=False):
        best = _nearest(part, wanted)
        if best is not None:
            parts.append(best)
            number = float(best["_evaluations"].median())
            ways[str(name)] = _words(best["protocol"].iloc[0], number)
    if len(ways) < 2:
        return Sampled(rows.iloc[:0])
    return Sampled(pd.concat(parts).drop(columns="_evaluations"), ways)


def _alike(one: Protocol, other: Protocol) -> bool:
    """Do they differ in their samplers alone?"""
    free = dict.fromkeys(OF_SAMPLER)
    return dataclasses.replace(one, **free) == dataclasses.replace(other, **free)


def _nearest(rows: pd.DataFrame, wanted: float) -> pd.DataFrame | None:
    """Of one objective the rows of one way of sampling; None: none costs about as much."""
    found = []
    for protocol in dict.fromkeys(rows["protocol"]):
        part = where(rows, [p == protocol for p in rows["protocol"]])
        number = float(part["_evaluations"].median())
        off = abs(math.log(number / wanted)) if number > 0 else math.inf
        if off <= math.log(1 + APART):
            found.append((-part["label"].nunique(), off, repr(protocol), part))
    return min(found, key=lambda f: f[:3])[3] if found else None


def _words(protocol: Protocol, evaluations: float) -> str:
    """How an objective was sampled: "heun, 31 evaluations"."""
    number = round(evaluations)
    return f"{protocol.sampler or 'unknown sampler'}, {number:,} evaluation{'s' * (number != 1)}"
