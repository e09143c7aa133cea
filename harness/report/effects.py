"""What each factor of a study does, and whether that changes with scale: once, for all sections."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from harness import setting_names as names
from harness.analysis import own_samplers, selection
from harness.analysis.factors import (
    Choice,
    axes,
    choose,
    factor_effects,
    paired,
    with_recipe,
)
from harness.analysis.interactions import Interaction, interaction
from harness.analysis.intervals import Interval, interval
from harness.errors import BadInput

PAPERS: dict[str, Any] = {  # the paper's own level stands first: others are compared with it
    "block": "adaln-zero",
    "learning_rate": 1e-4,
    "label_dropout": 0.1,
    "weight_decay": 0.0,
    "ema": 0.9999,
    "image_size": 256,
    "objective": "ddpm",
}
POINTS = ("factor", "level", "against", "model", "gflops", "ratio", "low", "high")


@dataclass(frozen=True)
class Effects:
    """Factors of one reference. `part` names the reference where there are several."""

    factors: tuple[str, ...] = ()
    table: pd.DataFrame = field(default_factory=pd.DataFrame)  # factors.factor_effects, with `part`
    points: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(POINTS)))
    """Per model the ratio of a level's value to the first level's, 95 % each; names are short."""
    ways: dict[str, str] = field(default_factory=dict)
    """How each objective was sampled, where they are compared (own_samplers)."""
    turns: tuple[Interaction, ...] = ()
    """How the ratio changes with model compute; their levels are corrected for their number."""
    choices: tuple[Choice, ...] = ()
    """Per model the best of its recipes, chosen on other samples than those of its value."""
    flattered: tuple[str, ...] = ()
    """Models of several recipes that have no second set of samples in common."""

    def level_in_words(self, factor: Any, level: Any) -> str:
        """A level in words that no other level of its factor has."""
        own = self.table[self.table["factor"] == factor]
        return names.levels([*own["level"], *own["against"]])[level]


def find(parts: list[tuple[str, pd.DataFrame]], metric: str) -> Effects:
    """Effects of every factor within each reference's rows: (name, metrics rows)."""
    tables, points, turns, factors = [], [], [], []
    ways: dict[str, str] = {}
    choices: list[Choice] = []
    several: list[str] = []
    for part, rows in parts:
        compared = selection.final_rows(rows, metric)
        if not len(compared):
            continue
        recipes = compared.groupby("model", sort=False)["label"].nunique()
        several += [str(model) for model, n in recipes.items() if n > 1]
        on = selection.of_other_samples(rows, metric)
        choices += choose(compared, "label", metric, on)
        by = dict.fromkeys(axes(compared).factors, compared)
        objectives = own_samplers.sampled(rows, metric)
        if len(objectives.ways) > 1:
            by["objective"] = objectives.rows
            ways |= objectives.ways
        for factor, measured in by.items():
            table = factor_effects(measured, factor, metric)
            if not len(table):
                continue  # no two trainings differ in it alone
            factors.append(factor)
            tables.append(table.assign(part=part))
            base = first(table)
            points += _points(measured, factor, base)
            turns += [(measured, factor, *_turned(r, base)) for r in table.to_dict("records")]
    level = 1 - 0.05 / max(1, len(turns))
    found = []
    for measured, factor, one, other in turns:
        with contextlib.suppress(BadInput):  # one model, or no standard errors
            found.append(interaction(measured, factor, one, other, level))
    return Effects(
        tuple(dict.fromkeys(factors)),
        pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(),
        pd.DataFrame(points, columns=list(POINTS)),
        ways,
        tuple(found),
        tuple(choices),
        tuple(m for m in dict.fromkeys(several) if m not in {c.model for c in choices}),
    )


def first(table: pd.DataFrame) -> Any:
    """The level that others are drawn against: the paper's where it is one, else the first."""
    levels = list(dict.fromkeys([*table["level"], *table["against"]]))
    theirs = PAPERS.get(str(table["factor"].iloc[0]))
    return theirs if theirs in levels else levels[0]


def _turned(row: dict[Any, Any], base: Any) -> tuple[Any, Any]:
    """(level, against) with the first level behind."""
    one, other = row["level"], row["against"]
    return (other, one) if one == base else (one, other)


def _points(rows: pd.DataFrame, factor: str, base: Any) -> list[Any]:
    full, _ = with_recipe(rows)
    words = names.levels(sorted(full[factor].dropna().unique(), key=str))
    levels = [v for v in words if v != base]
    out = []
    for one in levels:
        pairs = paired(rows, factor, one, base)
        for model in dict.fromkeys(pairs.models):  # over the other factors' settings
            own = np.array([m == model for m in pairs.models])
            gain, gflops = float(pairs.gain[own].mean()), float(np.median(pairs.gflops[own]))
            variance = float(pairs.covariance[np.ix_(own, own)].sum()) / int(own.sum()) ** 2
            ends = Interval(gain, math.nan, math.nan)
            if np.isfinite(variance):
                ends = interval(gain, math.sqrt(max(0.0, variance)), pairs.df)
            said = (names.setting(factor), words[one], words[base])
            out.append((*said, model, gflops, *(_exp(v) for v in ends)))
    return out


def _exp(x: float) -> float:
    return math.inf if x > 700 else math.exp(x)  # NaN stays NaN
