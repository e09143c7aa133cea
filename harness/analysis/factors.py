"""Ablations and recipes: the axes of a study, and what each factor does at equal model and seed.

Size, patch size, depth, width, heads, training steps and batch size are compute axes. The seed is
the replicate. Every other setting that varies is a factor, and its effect is found in pairs: two
trainings that differ in this factor alone, seed for seed. Correlations and laws are per recipe,
never pooled.

Effects are ratios of values (means of differences of logarithms); where a value is not positive
they are differences, as a share of the mean value. With several seeds the spread of the paired
differences over seeds says how sure they are, and the sentence is about models. With one seed the
recorded standard errors do, and the sentence is about these checkpoints.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from harness import setting_names as names
from harness.analysis.averaging import errors
from harness.analysis.finished import finished
from harness.analysis.halves import REPLICATE, halves
from harness.analysis.intervals import (
    COVARIANCE_DF,
    Difference,
    Interval,
    corrected,
    degrees,
    holm,
    interval,
    p_value,
    pooled_df,
    without_spread,
)
from harness.analysis.metrics import higher_is_better
from harness.analysis.recorded_settings import recorded_settings
from harness.analysis.shared_draws import covariance
from harness.errors import BadInput

COMPUTE = ("size", "patch_size", "depth", "width", "heads", "step", "batch_size")
FACTORS = ("family", "block", "image_size", "data", "autoencoder", "learning_rate", "objective",
           "objective_settings")  # fmt: skip
EFFECT = ("factor", "level", "against", "ratio", "ratio_low", "ratio_high", "p", "p_holm", "better",
          "models", "seeds", "basis", "gflops_ratio", "degenerate")  # fmt: skip


@dataclass(frozen=True)
class Axes:
    """The columns that vary in a study, by their part in it."""

    compute: tuple[str, ...]
    factors: tuple[str, ...]
    replicates: tuple[str, ...]


def with_recipe(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A copy with a column for each setting in the JSON of `recipe`, and the names of those.

    A list or another structure becomes its JSON text. Rows without a recipe have null; of a
    recorded recipe no schedule is the level "constant", and no clipping "off".
    """
    if "recipe" not in rows:
        return rows, ()
    read = [recorded_settings(text, "recipe") for text in rows["recipe"]]
    found = [n for n in dict.fromkeys(k for one in read for k in one) if n not in rows]
    columns = {
        name: pd.Series([_cell(name, one) for one in read], index=rows.index, dtype=object)
        for name in found
    }
    return rows.assign(**columns), tuple(found)


def _cell(name: str, recipe: dict[str, Any]) -> Any:
    value = recipe.get(name)
    if value is None and recipe:
        return names.NOTHING.get(name)
    return json.dumps(value, sort_keys=True) if isinstance(value, (list, dict)) else value


def axes(rows: pd.DataFrame) -> Axes:
    """Which columns of the records vary, as compute axes, factors and replicates.

    A setting that some rows lack (older records) counts with the values that it has.
    """
    full, recipe = with_recipe(rows)

    def varied(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(n for n in names if n in full and full[n].dropna().nunique() > 1)

    return Axes(varied(COMPUTE), varied([*FACTORS, *recipe]), varied(REPLICATE))


@dataclass(frozen=True)
class Pairs:
    """Log ratios (or scaled differences) of two levels of a factor, one entry per model."""

    models: tuple[str, ...]
    gflops: np.ndarray  # (models,) of the second level
    gain: np.ndarray  # (models,) mean over seeds of log(first / second)
    covariance: np.ndarray  # (models, models) of `gain`; NaN where nothing is known of it
    seeds: np.ndarray  # (models,)
    df: float
    basis: str | None  # "seeds", "checkpoints", or null
    gflops_ratio: float  # median of the first level's Gflops over the second's


def paired(rows: pd.DataFrame, factor: str, first: Any, second: Any) -> Pairs:
    """Trainings that differ in `factor` alone, `first` against `second`, seed for seed.

    `rows`: measured rows of one metric, protocol and training step (selection.final_rows). Raises
    BadInput for an unknown factor.
    """
    full, recipe = with_recipe(rows)
    if factor not in full:
        raise BadInput(
            f"no column {factor!r}; factors that vary here: {', '.join(axes(rows).factors)}"
        )
    others = [c for c in ("model", *COMPUTE, *FACTORS, *recipe) if c in full and c != factor]
    if factor == "block" or factor == "family":  # what follows from the factor is not held equal
        others = [c for c in others if c not in ("depth", "width", "heads")]
    if factor == "objective":
        others = [c for c in others if c not in ("objective_settings", "diffusion_steps")]
    if factor == "schedule" and "horizon" in full:  # at their ends, trainings are of their steps
        on_the_way = pd.Series(~finished(full), index=full.index)
        full = full.assign(horizon=full["horizon"].where(on_the_way, None))
    std, df = errors(full)
    full = full.assign(_std=std, _df=df, _row=range(len(full)), seed=full.get("seed", 0))
    keys = [*others, "seed"]
    means = full.groupby([*keys, factor], dropna=False, sort=False).agg(
        value=("value", "mean"), gflops=("gflops", "first"), df=("_df", "min"),
        row=("_row", "first"), times=("_row", "size"),
        variance=("_std", lambda s: float((s**2).sum(skipna=False)) / len(s) ** 2),
    ).reset_index()  # fmt: skip
    sides = [means[means[factor] == level] for level in (first, second)]
    # Null equals null in a merge of pandas: a setting that both lack is equal.
    both = sides[0].merge(sides[1], on=keys, suffixes=("_a", "_b"))
    a, b = both["value_a"].to_numpy(float), both["value_b"].to_numpy(float)
    if len(both) and min(a.min(), b.min()) > 0:
        both["gain"], slopes = np.log(a / b), (1 / a, 1 / b)
    else:
        scale = float(np.abs(np.r_[a, b]).mean()) if len(both) else 1.0
        both["gain"], slopes = (a - b) / scale, (np.ones(len(a)) / scale, np.ones(len(b)) / scale)
    own, shared = _errors(both, full, *slopes)
    return _summed(both, others, own, shared)


def _errors(
    both: pd.DataFrame, full: pd.DataFrame, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of the pairs' gains: the variances of independent values (pairs,), and what the values share
    beside (pairs, pairs).

    first, second: slopes of a gain in its two values. Two pairs of the same draws share errors as
    the two values of one do. Values that are means of several share none.
    """
    own = both["variance_a"].to_numpy(float) * first**2 + both["variance_b"].to_numpy(float) * (
        second**2
    )
    shared = covariance(full)
    np.fill_diagonal(shared, 0.0)
    once = ((both["times_a"] == 1) & (both["times_b"] == 1)).to_numpy(bool)
    at = np.flatnonzero(once)
    weights = np.zeros((len(both), len(full)))
    weights[at, both["row_a"].to_numpy(int)[once]] = first[once]
    weights[at, both["row_b"].to_numpy(int)[once]] = -second[once]
    return own, weights @ shared @ weights.T


def _summed(both: pd.DataFrame, others: list[str], own: np.ndarray, shared: np.ndarray) -> Pairs:
    groups = both.groupby(others, dropna=False, sort=False)
    table = groups.agg(
        gain=("gain", "mean"), squares=("gain", lambda g: float(((g - g.mean()) ** 2).sum())),
        seeds=("gain", "size"), gflops=("gflops_b", "first"),
        model=(others[0], "first"),
    )  # fmt: skip
    table = table.assign(_group=range(len(table))).sort_values("gflops", kind="stable")
    n = table["seeds"].to_numpy(float)
    df = float((n - 1).sum())
    basis: str | None = "seeds"
    if df >= 1:
        found = np.diag(float(table["squares"].sum()) / df / n)
    else:
        of_group = groups.ngroup().to_numpy() == table["_group"].to_numpy()[:, None]
        means = of_group / np.maximum(1, of_group.sum(axis=1, keepdims=True))
        found = means @ (np.diag(np.nan_to_num(own)) + shared) @ means.T
        unknown = (of_group & ~np.isfinite(own)).any(axis=1)
        found[unknown, unknown] = np.nan
        known = len(own) > 0 and bool(np.isfinite(own).all())
        basis = "checkpoints" if known else None
        parts = np.r_[both["df_a"].to_numpy(float), both["df_b"].to_numpy(float)]
        df = pooled_df(np.ones(len(parts)), [degrees(f) for f in parts]) if known else math.nan
        df = min(df, COVARIANCE_DF) if known and shared.any() else df
    ratio = (both["gflops_a"] / both["gflops_b"]).median() if len(both) else math.nan
    return Pairs(
        tuple(str(m) for m in table["model"]),
        table["gflops"].to_numpy(float),
        table["gain"].to_numpy(float),
        np.asarray(found, float),
        n.astype(int),
        df,
        basis,
        float(ratio),
    )


def mean_effect(pairs: Pairs, confidence: float = 0.95) -> Difference:
    """Mean gain over these models, each counting the same, with its interval.

    Where all pairs differ by the same, or no error was seen, nothing can be tested: the interval is
    open and there is no p-value, as without standard errors.
    """
    count = len(pairs.gain)
    value = float(pairs.gain.mean()) if count else math.nan
    total = float(pairs.covariance.sum())
    std = math.sqrt(max(0.0, total)) / count if count and math.isfinite(total) else math.nan
    if not (math.isfinite(std) and math.isfinite(value)):
        return Difference(value, math.nan, math.nan, math.nan, Interval(value, -math.inf, math.inf))
    if without_spread(value, std):
        return Difference(value, std, pairs.df, math.nan, Interval(value, -math.inf, math.inf))
    p = p_value(value, std, pairs.df)
    return Difference(value, std, pairs.df, p, interval(value, std, pairs.df, confidence))


def factor_effects(
    rows: pd.DataFrame, factor: str, metric: str, confidence: float = 0.95
) -> pd.DataFrame:
    """Every pair of levels of `factor`, compared at equal model and seed; Holm over the pairs.

    `rows` as for `paired`. Columns: factor, level, against, ratio (value at level / value at
    against, geometric mean over models), ratio_low, ratio_high (corrected), p, p_holm, better (the
    better level; null: a tie), models, seeds (fewest of a model), basis ("seeds": of models;
    "checkpoints": of these alone; null: no errors), gflops_ratio, degenerate (a standard error of
    0: nothing varied, and nothing is tested). A pair of levels without common models is absent.
    """
    full, _ = with_recipe(rows)
    if factor not in full:
        paired(rows, factor, None, None)  # says what there is
    levels = sorted(full[factor].dropna().unique(), key=lambda v: (str(type(v)), v))
    found = [(a, b, paired(rows, factor, a, b)) for a, b in combinations(levels, 2)]
    found = [(a, b, p) for a, b, p in found if len(p.gain)]
    effects = corrected([mean_effect(p, confidence) for _, _, p in found], confidence)
    adjusted = holm([e.p for e in effects])
    higher = higher_is_better(metric)
    table = [
        (
            *(factor, a, b, *(math.exp(v) if v < 700 else math.inf for v in e.interval)),
            *(e.p, q, None if e.tie else a if (e.value > 0) == higher else b),
            *(len(p.gain), int(p.seeds.min()), p.basis, p.gflops_ratio, e.degenerate),
        )
        for (a, b, p), e, q in zip(found, effects, adjusted, strict=True)
    ]
    return pd.DataFrame(table, columns=list(EFFECT))


@dataclass(frozen=True)
class Choice:
    """The best level of a model, chosen on some samples; its value is of the others."""

    level: Any
    model: str
    value: float  # mean of the rows that were not chosen on
    se: float  # of that mean; NaN where nothing is known of it
    chosen_on: str  # "sampling_seed 0", "seed 0"
    valued_on: str = ""
    df: float = math.inf  # of `se`
    basis: str | None = None  # "seeds", "checkpoints", or null: what `se` speaks of
    flattered: float = math.nan  # its mean where it was chosen: the best of several noisy values
    levels: int = 0  # among how many it was chosen


def choose(
    rows: pd.DataFrame, factor: str, metric: str, on: pd.DataFrame | None = None
) -> tuple[Choice, ...]:
    """Per model the best level of `factor`, chosen on one half of the samples and valued on the
    other (harness.analysis.halves).

    The halves are training seeds where a model's levels have several: a recipe's luck in training
    is then not chosen either. Else they are sampling seeds of the same checkpoints. Else the level
    is chosen `on` these rows, of other samples (measured in another way, perhaps), and valued on
    all of `rows`. A model with none of these is absent: the best of several, measured on what it
    was chosen by, is flattered. Levels are compared by the seeds that all of them have; one that
    has too few of those that others share is not among them.
    """
    full, _ = with_recipe(rows)
    other = None if on is None else with_recipe(on)[0]
    out = []
    for model, one in full.groupby("model", sort=False):
        divided = halves(one, factor, None if other is None else other[other["model"] == model])
        if divided is None:
            continue
        best, flattered = divided.best(higher_is_better(metric))
        means = divided.means()
        row = means[means["label"] == best].iloc[0]
        se, df = (math.nan if pd.isna(row[c]) else float(row[c]) for c in ("se", "se_df"))
        basis = None if pd.isna(row["basis"]) else str(row["basis"])
        out.append(
            Choice(best, str(model), float(row["value"]), se, divided.chosen_on, divided.valued_on,
                   degrees(df), basis, flattered, len(divided.levels))
        )  # fmt: skip
    return tuple(out)
