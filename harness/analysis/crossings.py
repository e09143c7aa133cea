"""From which training compute on the next larger model is ahead (Figure 9), with its interval.

Log value is linear in log compute between the milestones of a model. The crossing of two such
curves is where their difference is 0; its interval are all compute values at which 0 lies within
the difference's own interval (the same inversion that Fieller made for a line). Milestones of one
model share errors, as do two models: by as much as influences tell (harness.analysis.shared_draws);
where none are recorded, errors in between are taken as fully shared, and those of two models as
independent, which is the wider.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import scipy.linalg
import scipy.stats
from numpy.typing import ArrayLike

from harness.analysis.averaging import errors, of_one_spread
from harness.analysis.intervals import COVARIANCE_DF, Array, Difference, degrees, with_error
from harness.analysis.labels import series
from harness.analysis.metrics import higher_is_better
from harness.analysis.shared_draws import covariance

GRID = 2001
COLUMNS = ("smaller", "larger", "compute", "low", "high", "seen", "first", "last")


def between(compute: ArrayLike, values: ArrayLike, at: ArrayLike) -> Array:
    """A curve through `values` at `compute` (n,), read at `at` (m,): straight between logarithms.

    It is what budgets and crossings are read from, and what a figure of them draws. Straight in the
    value itself where one of `values` is not positive. NaN beyond the curve's ends.
    """
    x, y, wanted = (np.asarray(v, float) for v in (compute, values, at))
    order = np.argsort(x)
    x, y = np.log(x[order]), y[order]
    powers = bool((y > 0).all())
    found = _straight(x, np.log(y) if powers else y, np.log(wanted))
    return np.exp(found) if powers else found


def _straight(x: Array, y: Array, at: Array) -> Array:
    """A line through points of ascending `x`, read at `at`; NaN beyond its ends."""
    inside = (at >= x[0] - 1e-12) & (at <= x[-1] + 1e-12)
    return np.asarray(np.where(inside, np.interp(at, x, y), np.nan))


def at_budgets(curves: pd.DataFrame, budgets: Array, metric: str) -> pd.DataFrame:
    """Quality at training budgets, by interpolation within each model's own curve, never beyond.

    `curves`: rows with label, gflops, train_gflops, value and standard errors. Columns: budget,
    label, gflops, value, std, std_df, best (does it tie with the best at that budget?).
    """
    from harness.analysis.ranking import best

    rows = []
    budgets = np.asarray(budgets, float)
    lines = _lines(curves)
    for line in lines:
        values = np.exp(line.value_at(np.log(budgets)))
        errors_there = values * line.error_at(np.log(budgets))
        for budget, value, error in zip(budgets, values, errors_there, strict=True):
            if not np.isnan(value):
                rows.append((budget, line.label, line.gflops, value, error, line.df))
    found = pd.DataFrame(rows, columns=["budget", "label", "gflops", "value", "std", "std_df"])
    found = found.sort_values(["budget", "gflops"], ignore_index=True)
    found["best"] = False
    by_label = {line.label: line for line in lines}
    for _, one in found.groupby("budget"):
        budget = float(one["budget"].iloc[0])
        shared = _shared([by_label[label] for label in one["label"]], math.log(budget))
        if shared is not None:
            shared = shared * np.outer(one["value"], one["value"])
        found.loc[one.index, "best"] = best(
            one["value"], one["std"], one["std_df"], shared,
            one_spread=[by_label[label].one_spread for label in one["label"]],
            higher=higher_is_better(metric),
        )  # fmt: skip
    return found


def crossings(
    curves: pd.DataFrame, metric: str, along: str = "size", confidence: float = 0.95
) -> pd.DataFrame:
    """Per neighbours in `along` ("size" or "patch_size"): where the larger model gets ahead for
    good.

    Columns: smaller, larger, compute (NaN: no crossing within the common range), low, high (open,
    0 or infinite, where the interval reaches the range's end; both open without standard errors),
    seen ("crossing", "larger ahead throughout", "smaller ahead throughout"), first and last (the
    common range). `curves` as for `at_budgets`, of at least two milestones each; positive values.
    """
    sign = 1.0 if higher_is_better(metric) else -1.0
    rows = []
    for a, b, low, high in _neighbours(curves, along):
        grid = np.union1d(np.linspace(low, high, GRID), [*a.compute, *b.compute])
        grid = grid[(grid >= low) & (grid <= high)]
        gain = sign * (b.value_at(grid) - a.value_at(grid))
        error, df = _gap_error(a, b, grid)
        half = np.asarray(scipy.stats.t.ppf((1 + confidence) / 2, df) * error)
        rows.append((a.label, b.label, *_root(grid, gain, half),
                     math.exp(low), math.exp(high)))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True)
class LastCommon:
    """Two neighbours at the largest training compute that both reach.

    The smaller model has been trained longest there, the larger one less. Logarithms of ratios,
    above 0 where the larger model is the better.
    """

    smaller: str
    larger: str
    compute: float  # training Gflops
    gain: Difference  # of the larger model there
    growth: Difference  # of that gain, since the smallest compute that both reach


def last_common(curves: pd.DataFrame, metric: str, along: str = "size") -> list[LastCommon]:
    """Per neighbours in `along`: is the larger ahead where the smaller was trained longest?

    A question that is asked at equal compute alone. The best of several models at a budget is none:
    budgets differ in which models have been measured there, and the larger ones come last whether
    they are better or not. `curves` as for `crossings`. Without influences the errors of a
    model's two ends count as independent, which is the wider for `growth`.
    """
    sign = 1.0 if higher_is_better(metric) else -1.0
    found = []
    for a, b, low, high in _neighbours(curves, along):
        ends = np.array([low, high])
        gains = sign * (b.value_at(ends) - a.value_at(ends))
        error, df = _gap_error(a, b, ends)
        weights = _gap_weights(a, b, ends)
        of_growth = math.hypot(*error)
        if weights is not None:
            of_growth = float(_deviation(weights[1:] - weights[:1], _covariance([a, b]))[0])
        gain = with_error(float(gains[1]), float(error[1]), float(df[1]))
        growth = with_error(float(gains[1] - gains[0]), of_growth, float(df.min()))
        found.append(LastCommon(a.label, b.label, math.exp(high), gain, growth))
    return found


@dataclass(frozen=True)
class _Line:
    """One model's curve over training, in logarithms; `df` of its least sure standard error.

    It is read as `between` reads one: straight, and NaN beyond its ends.
    """

    label: str
    compute: Array
    value: Array
    error: Array  # relative standard errors
    df: float
    gflops: float
    one_spread: bool = False  # are its errors those of one pooled spread? (averaging.of_one_spread)
    rows: pd.DataFrame | None = None  # its milestones as measured, where influences were recorded

    def value_at(self, compute: Array) -> Array:
        return _straight(self.compute, self.value, compute)

    def error_at(self, compute: Array) -> Array:
        return _straight(self.compute, self.error, compute)


def _neighbours(curves: pd.DataFrame, along: str) -> Iterator[tuple[_Line, _Line, float, float]]:
    """(smaller, larger, ends of their common log compute) of neighbours in `along`."""
    lines = {line.label: line for line in _lines(curves)}
    groups: dict[object, list[_Line]] = {}
    first = curves.drop_duplicates("label")
    for label, key in zip(first["label"], series(first, along), strict=True):
        if str(label) in lines:
            groups.setdefault(key, []).append(lines[str(label)])
    for group in groups.values():
        group.sort(key=lambda line: line.gflops)
        for a, b in pairwise(group):
            low, high = max(a.compute[0], b.compute[0]), min(a.compute[-1], b.compute[-1])
            if high > low:
                yield a, b, float(low), float(high)


def _gap_error(a: _Line, b: _Line, at: Array) -> tuple[Array, Array]:
    """(relative standard error, degrees of freedom) of a difference of two lines at log computes.

    By what the values share where that is recorded; else by Welch's, as if they were independent.
    Errors of one pooled spread have its degrees of freedom.
    """
    weights = _gap_weights(a, b, at)
    if weights is not None:
        least = min(a.df, b.df, COVARIANCE_DF)
        return _deviation(weights, _covariance([a, b])), np.full(len(at), least)
    sa, sb = a.error_at(at), b.error_at(at)
    if a.one_spread and b.one_spread:
        return np.hypot(sa, sb), np.full(len(at), min(a.df, b.df))
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.hypot(sa, sb) ** 4 / (sa**4 / a.df + sb**4 / b.df)
    return np.hypot(sa, sb), np.where(np.isfinite(df), df, np.inf)


def _gap_weights(a: _Line, b: _Line, at: Array) -> Array | None:
    """Of the milestones of a and of b in the difference b - a at log computes, (at, milestones)."""
    if a.rows is None or b.rows is None:
        return None
    return np.hstack([-_weights(a, at), _weights(b, at)])


def _weights(line: _Line, at: Array) -> Array:
    return np.array([np.interp(at, line.compute, unit) for unit in np.eye(len(line.compute))]).T


def _covariance(lines: Sequence[_Line]) -> Array:
    """Of the logarithms of all milestones of lines that have their rows."""
    every = pd.concat([line.rows for line in lines], ignore_index=True)
    values = every["value"].to_numpy(float)
    return np.asarray(covariance(every) / np.outer(values, values))


def _deviation(weights: Array, of: Array) -> Array:
    return np.asarray(np.sqrt(np.maximum(((weights @ of) * weights).sum(axis=1), 0.0)))


def _shared(lines: Sequence[_Line], at: float) -> Array | None:
    """Covariance of the logarithms of several lines at one log compute; None: not recorded."""
    if len(lines) < 2 or any(line.rows is None for line in lines):
        return None
    each = [_weights(line, np.array([at])) for line in lines]
    weights = scipy.linalg.block_diag(*each)
    return np.asarray(weights @ _covariance(lines) @ weights.T)


def _root(grid: Array, gain: Array, half: Array) -> tuple[float, float, float, str]:
    """(crossing, low, high, what is seen) of a gain that is to become positive."""
    behind = np.flatnonzero(gain <= 0)
    if not len(behind) or behind[-1] == len(gain) - 1:
        crossing = math.nan
        seen = "smaller ahead throughout" if len(behind) else "larger ahead throughout"
    else:
        k = behind[-1]
        crossing = float(grid[k] - gain[k] * (grid[k + 1] - grid[k]) / (gain[k + 1] - gain[k]))
        seen = "crossing"
    if not np.isfinite(half).all():
        return _exp(crossing), 0.0, math.inf, seen
    near = np.flatnonzero(np.abs(gain) <= half)
    if not len(near):
        # The curves are apart at every grid point: they cross between two, or not at all.
        if seen != "crossing":
            open_side = (0.0, float(np.exp(grid[0]))) if seen.startswith("larger") else (
                float(np.exp(grid[-1])), math.inf)  # fmt: skip
            return math.nan, *open_side, seen
        return _exp(crossing), _exp(crossing), _exp(crossing), seen
    low = 0.0 if near[0] == 0 or (math.isnan(crossing) and seen.startswith("larger")) else _exp(
        grid[near[0]])  # fmt: skip
    last = near[-1] == len(grid) - 1 or (math.isnan(crossing) and seen.startswith("smaller"))
    high = math.inf if last else _exp(grid[near[-1]])
    if not math.isnan(crossing):
        low, high = min(low, _exp(crossing)), max(high, _exp(crossing))
    return _exp(crossing), low, high, seen


def _exp(x: float) -> float:
    return float(np.exp(x))


def _lines(curves: pd.DataFrame) -> list[_Line]:
    """Each model's curve, of two milestones or more."""
    std, df = errors(curves)
    rows = curves.assign(_std=std, _df=df)
    rows = rows[(rows["train_gflops"] > 0) & (rows["value"] > 0) & np.isfinite(rows["value"])]
    out = []
    for label, one in rows.groupby("label", sort=False):
        one = one.sort_values("train_gflops").drop_duplicates("train_gflops")
        value = one["value"].to_numpy(float)
        if len(value) > 1:
            x = np.log(one["train_gflops"].to_numpy(float))
            error = one["_std"].to_numpy(float) / value
            least = min(degrees(d) for d in one["_df"])
            whole = "influence" in one and one["influence"].notna().all()
            out.append(_Line(str(label), x, np.log(value), error, least,
                             float(one["gflops"].iloc[0]), bool(of_one_spread(one).all()),
                             one if whole else None))  # fmt: skip
    return out
