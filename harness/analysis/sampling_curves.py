"""Sweeps over sampling steps as curves, and the errors of their means (harness.analysis.sampling).

Step counts of a model share its checkpoint and its noise, and models that are sampled with one seed
share the noise, so the errors are correlated. By how much is seen from recorded influences
(harness.analysis.shared_draws); where there are none, of one model's step counts from how far the
curves lie from smooth ones, compared with the recorded errors, and two models count as independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.averaging import errors
from harness.analysis.intervals import COVARIANCE_DF, Array, pooled_df
from harness.analysis.shared_draws import covariance

GRID = 201


@dataclass(frozen=True)
class Curve:
    """One model's sweep, by compute; `y` is on the scale of comparison, one row per seed."""

    label: str
    gflops: float
    steps: Array
    compute: Array
    value: Array  # mean over seeds
    std: Array  # recorded standard errors of the mean, on the scale of y
    df: float
    y: Array  # (seeds, steps)
    logarithmic: bool
    rows: pd.DataFrame | None = None  # (steps) as measured, where each was once, with influences

    def weights(self, low: float, high: float) -> Array:
        """Weights of the mean over log compute in [low, high], linear in between."""
        grid = np.linspace(math.log(low), math.log(high), GRID)
        x = np.log(self.compute)
        return np.array([np.interp(grid, x, unit).mean() for unit in np.eye(len(x))])


def read_curves(sweep: pd.DataFrame) -> tuple[dict[str, Curve], bool]:
    """Curves of at least two step counts by label, and whether they are compared as logarithms."""
    std, df = errors(sweep)
    once = _measured_once(sweep)
    columns = ("label", "gflops", "sampling_steps", "sampling_gflops", "value")
    seeds = sweep["seed"].to_list() if "seed" in sweep else [0] * len(sweep)
    points: dict[str, dict[Any, dict[float, list[tuple[float, ...]]]]] = {}
    facts: dict[str, tuple[float, dict[float, float]]] = {}
    lists = [sweep[c].to_list() for c in columns]
    for label, gflops, steps, compute, value, seed, e, f in zip(
        *lists, seeds, std, df, strict=True
    ):
        if not (pd.notna(compute) and compute > 0 and pd.notna(value) and math.isfinite(value)):
            continue
        of_label = points.setdefault(str(label), {})
        of_label.setdefault(seed, {}).setdefault(float(steps), []).append((float(value), e, f))
        facts.setdefault(str(label), (float(gflops), {}))[1][float(steps)] = float(compute)
    everything = [v for s in points.values() for r in s.values() for m in r.values() for v, *_ in m]
    logarithmic = min(everything, default=0.0) > 0
    out = {}
    for label, by_seed in points.items():
        gflops, computes = facts[label]
        steps = np.array(sorted(computes))
        # A seed without all step counts cannot be compared over them.
        whole = [by_step for by_step in by_seed.values() if len(by_step) == len(steps)]
        if len(steps) < 2 or not whole:
            continue
        cells = [[np.array(by_step[s]) for s in steps] for by_step in whole]
        values = np.array([[cell[:, 0].mean() for cell in row] for row in cells])
        # Of the mean over all repetitions, whose recorded errors are independent.
        variance = np.array(
            [[(cell[:, 1] ** 2).sum() / len(cell) ** 2 for cell in r] for r in cells]
        )
        error = np.sqrt(variance.sum(axis=0)) / len(whole)
        freedom = [f for row in cells for cell in row for f in cell[:, 2] if math.isfinite(f)]
        mean = values.mean(axis=0)
        out[label] = Curve(
            label,
            gflops,
            steps,
            np.array([computes[s] for s in steps]),
            mean,
            error / mean if logarithmic else error,
            min(freedom, default=math.inf),
            np.log(values) if logarithmic else values,
            logarithmic,
            _in_order(once.get(label), steps),
        )
    return out, logarithmic


def _measured_once(sweep: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By label the rows of models whose step counts were each measured once, with influences."""
    if "influence" not in sweep:
        return {}
    return {
        str(label): rows
        for label, rows in sweep.groupby("label", sort=False)
        if rows["sampling_steps"].is_unique and rows["influence"].notna().all()
    }


def _in_order(rows: pd.DataFrame | None, steps: Array) -> pd.DataFrame | None:
    if rows is None or len(rows) != len(steps):
        return None
    return rows.sort_values("sampling_steps")


def shared_error(curves: dict[str, Curve]) -> float:
    """Correlation of the errors of one model's step counts, from 0 to 1.

    Each curve may have its own level and its own slope in log steps, about a profile that all
    share; what is left is the part of the error that step counts do not share. 1 where too few are
    left.
    """
    points = [
        (i, float(s), y, e)
        for i, c in enumerate(curves.values())
        for s, y, e in zip(c.steps, c.y.mean(axis=0), c.std, strict=True)
        if math.isfinite(e) and e > 0
    ]
    if not points:
        return 1.0
    model, steps, y, e = (np.array(column) for column in zip(*points, strict=True))
    log_steps = np.log(steps) - np.log(steps).mean()
    levels = (model[:, None] == np.unique(model)).astype(float)
    profile = (steps[:, None] == np.unique(steps)).astype(float)
    design = np.hstack([levels, levels * log_steps[:, None], profile]) / e[:, None]
    solution, _, rank, _ = np.linalg.lstsq(design, y / e, rcond=None)
    left = len(y) - int(rank)
    if left < 6:
        return 1.0
    own = float(((y / e - design @ solution) ** 2).sum()) / left
    return min(1.0, max(0.0, 1.0 - own))


def seed_variance(curves: dict[str, Curve]) -> tuple[float, float] | None:
    """(variance between seeds of a curve's mean, degrees of freedom), pooled over the models.

    None unless every model has at least two seeds: the training seed is the replicate.
    """
    if not curves or any(len(c.y) < 2 for c in curves.values()):
        return None
    df = sum(len(c.y) - 1 for c in curves.values())
    squares = 0.0
    for c in curves.values():
        means = c.y @ c.weights(c.compute[0], c.compute[-1])
        squares += float(means.var(ddof=1)) * (len(means) - 1)
    return squares / df, float(df)


def mean_error(
    a: Curve,
    b: Curve,
    wa: Array,
    wb: Array,
    shared: float,
    seeds: tuple[float, float] | None,
    measured: bool = True,
) -> tuple[float, float, str | None]:
    """(standard error of the mean difference on the scale of y, degrees of freedom, basis).

    shared: correlation of one model's step counts, where no influences tell it; measured: read
    influences at all.
    """
    if seeds is not None:
        return math.sqrt(seeds[0] * (1 / len(a.y) + 1 / len(b.y))), seeds[1], "seeds"
    if measured and a.rows is not None and b.rows is not None:
        return _of_same_draws(a, b, wa, wb)
    variances = [
        (1 - shared) * float((w**2 * c.std**2).sum()) + shared * float(w @ c.std) ** 2
        for c, w in ((a, wa), (b, wb))
    ]
    if not all(math.isfinite(v) for v in variances):
        return math.nan, math.nan, None
    return math.sqrt(sum(variances)), pooled_df(variances, [a.df, b.df]), "checkpoints"


def _of_same_draws(a: Curve, b: Curve, wa: Array, wb: Array) -> tuple[float, float, str | None]:
    """`mean_error` by the covariances of all step counts of both models."""
    assert a.rows is not None and b.rows is not None
    found = covariance(pd.concat([a.rows, b.rows], ignore_index=True))
    scale = np.r_[a.value, b.value] if a.logarithmic else np.ones(len(found))
    weights = np.r_[wa, -wb] / scale
    variance = float(weights @ found @ weights)
    if not math.isfinite(variance):
        return math.nan, math.nan, None
    return math.sqrt(max(0.0, variance)), min(a.df, b.df, COVARIANCE_DF), "checkpoints"
