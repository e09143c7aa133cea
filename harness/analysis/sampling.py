"""Sampling compute against model compute: the paper's argument (Figure 10) as a test.

The question is fixed before the data are seen: over the range of sampling compute that two models
of one series share, is the larger ahead? A series is a row of sizes that agree in everything else
(patch size, block, recipe); its pairs are all of two sizes. The answer is one number per
pair, the mean over log compute of the difference in log value, with its standard error; one-sided
tests; Holm over the pairs. `headline_pair` then shows one surviving pair at two step counts that
were chosen after the data: it says so.

Standard errors. With several training seeds the mean difference is found per seed, and the spread
over seeds carries all that step counts have in common. With one seed the recorded errors are used.
Step counts of a model share its checkpoint and its noise, so their errors are correlated: by how
much is seen from how far the curves lie from smooth ones, compared with the recorded errors. Fully
correlated is assumed where that cannot be seen. Where influences are recorded, what two values of
the same draws have in common is known from them (shared_draws), also across models; the selected
pair's difference and saving use it as the tests do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from harness.analysis.intervals import (
    Array,
    Interval,
    difference,
    holm,
    holm_levels,
    interval,
    p_value,
)
from harness.analysis.labels import series
from harness.analysis.metrics import higher_is_better
from harness.analysis.sampling_curves import (
    GRID,
    Curve,
    mean_error,
    read_curves,
    seed_variance,
    shared_error,
)
from harness.analysis.shared_draws import covariance

DRAWS = 1000  # of two curves, for the interval of the saving
PAIRS = ("smaller", "larger", "low", "high", "ratio", "ratio_low", "ratio_high", "share", "p",
         "p_holm", "ahead", "basis")  # fmt: skip


@dataclass(frozen=True)
class HeadlinePair:
    """A larger model that is ahead with less sampling compute: one surviving pair of
    `compare_pairs`.

    The two step counts are selected: the smaller model's most steps, and the least at which the
    larger is better than that.
    """

    larger: str
    larger_steps: int
    larger_gflops: float  # sampling compute per image
    larger_value: float
    smaller: str
    smaller_steps: int
    smaller_gflops: float
    smaller_value: float
    saving: Interval  # how many times less compute the larger model used; selected
    ratio: Interval  # how many times better the larger is over the common range; Holm's level
    difference: Interval  # larger_value - smaller_value at the selected step counts
    p_holm: float
    basis: str  # "seeds": the models; "checkpoints": these checkpoints alone

    selected = True


def compare_pairs(
    sweep: pd.DataFrame,
    metric: str,
    pairs: Sequence[tuple[str, str]] | str = "all",
    *,
    correlation: float | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Pairs of models over the sampling compute both cover: is the larger ahead?

    `sweep`: rows with label, gflops, sampling_steps, sampling_gflops, value, standard errors (see
    averaging.errors) and what tells series apart; a `seed` column where rows are one per seed.
    `pairs`: "all" of a series, "neighbours" in size alone, or (smaller, larger) labels
    that were named beforehand. `correlation` of the errors of a model's step counts, of models that
    share no draws; None: seen from the data, as what two models share (shared_draws).

    Columns: smaller, larger, low, high (the common range, Gflops per image), ratio (how many times
    better the larger is, geometric mean over the range; the factor exp(mean difference / mean
    value) where values are not positive), ratio_low, ratio_high (at Holm's level, so that the
    larger is ahead if and only if ratio_low > 1), share (of the range where the larger's curve is
    better), p, p_holm (one-sided), ahead ("larger", "smaller", "undecided"), basis ("seeds",
    "checkpoints" or null: no standard errors). Pairs without a common range, or of equal Gflops,
    are absent.
    """
    return judged_together(
        [uncorrected(sweep, metric, pairs, correlation=correlation)], confidence
    )[0]


def uncorrected(
    sweep: pd.DataFrame,
    metric: str,
    pairs: Sequence[tuple[str, str]] | str = "all",
    *,
    correlation: float | None = None,
) -> pd.DataFrame:
    """`compare_pairs` before any correction, for `judged_together`."""
    curves, logarithmic = read_curves(sweep)
    chosen = _chosen(sweep, curves, pairs)
    sign = 1.0 if higher_is_better(metric) else -1.0
    shared = shared_error(curves) if correlation is None else correlation
    scale = (
        1.0
        if logarithmic or not curves
        else float(np.mean([np.abs(c.value).mean() for c in curves.values()])) or 1.0  # all are 0
    )
    seeds = seed_variance(curves)
    rows = []
    for small, large in chosen:
        a, b = curves[small], curves[large]
        low, high = max(a.compute[0], b.compute[0]), min(a.compute[-1], b.compute[-1])
        if high <= low or a.gflops >= b.gflops:
            continue
        wa, wb = a.weights(low, high), b.weights(low, high)
        gain = sign * float(b.y.mean(axis=0) @ wb - a.y.mean(axis=0) @ wa) / scale
        std, df, basis = mean_error(a, b, wa, wb, shared, seeds, correlation is None)
        grid = np.linspace(math.log(low), math.log(high), GRID)
        ours, theirs = (np.interp(grid, np.log(c.compute), c.y.mean(axis=0)) for c in (b, a))
        rows.append(
            {
                "smaller": small,
                "larger": large,
                "low": low,
                "high": high,
                "gain": gain,
                "std": std / scale,
                "df": df,
                "share": float((sign * (ours - theirs) > 0).mean()),
                "p": p_value(gain, std / scale, df, sides=1) if math.isfinite(std) else math.nan,
                "basis": basis,
            }
        )
    return pd.DataFrame(rows)


def judged_together(
    settings: Sequence[pd.DataFrame], confidence: float = 0.95
) -> list[pd.DataFrame]:
    """The pairs of several settings, each as of `uncorrected`, by Holm over all of them together.

    Columns as of `compare_pairs`. Holm's correction holds whatever the settings share.
    """
    every = [one.assign(setting=i) for i, one in enumerate(settings) if len(one)]
    empty = pd.DataFrame(columns=list(PAIRS))
    if not every:
        return [empty for _ in settings]
    found = _judged(pd.concat(every, ignore_index=True), confidence)
    return [
        found[found["setting"] == i][list(PAIRS)].reset_index(drop=True) if len(one) else empty
        for i, one in enumerate(settings)
    ]


def _judged(found: pd.DataFrame, confidence: float) -> pd.DataFrame:
    found["p_holm"] = holm(found["p"])
    levels = holm_levels(found["p"], 1 - confidence)
    limits = [
        # Two-sided at twice the level: its lower side is the one-sided test.
        interval(gain, std, df, 1 - 2 * level)
        if math.isfinite(std)
        else Interval(gain, -math.inf, math.inf)
        for gain, std, df, level in zip(
            found["gain"], found["std"], found["df"], levels, strict=True
        )
    ]
    for name in ("value", "low", "high"):
        found[f"ratio_{name}"] = [_exp(getattr(one, name)) for one in limits]
    found["ahead"] = [
        "larger" if one.low > 0 else "smaller" if one.high < 0 else "undecided" for one in limits
    ]
    return found.rename(columns={"ratio_value": "ratio"})


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


def share_ahead(pairs: pd.DataFrame) -> tuple[int, int, int]:
    """(pairs in which the larger is ahead, in which the smaller is, all): Holm decided."""
    ahead = list(pairs["ahead"])
    return ahead.count("larger"), ahead.count("smaller"), len(ahead)


def headline_pair(
    sweep: pd.DataFrame,
    metric: str,
    pairs: Sequence[tuple[str, str]] | str = "all",
    *,
    correlation: float | None = None,
    confidence: float = 0.95,
) -> HeadlinePair | None:
    """The paper's argument on these numbers (its own: XL/2 at 128 steps against L/2 at 1000).

    Of the pairs that `compare_pairs` finds ahead, the one with the largest model that also has a
    step count at which it is better with fewer steps and less compute. None where no pair
    survives, so without standard errors always. Columns and arguments as there.
    """
    found = compare_pairs(sweep, metric, pairs, correlation=correlation, confidence=confidence)
    found = found[found["ahead"] == "larger"]
    if not len(found):
        return None
    curves, _ = read_curves(sweep)
    shared = shared_error(curves) if correlation is None else correlation
    sign = 1.0 if higher_is_better(metric) else -1.0
    order = sorted(
        found.to_dict("records"),
        key=lambda r: (-curves[r["larger"]].gflops, -curves[r["smaller"]].gflops),
    )
    for row in order:
        a, b = curves[row["smaller"]], curves[row["larger"]]
        point = _least(b, a, b.value, a.value, sign)
        if point is None:
            continue
        together = _covariance(b, a) if correlation is None else None
        return HeadlinePair(
            larger=b.label,
            larger_steps=int(b.steps[point]),
            larger_gflops=float(b.compute[point]),
            larger_value=float(b.value[point]),
            smaller=a.label,
            smaller_steps=int(a.steps[-1]),
            smaller_gflops=float(a.compute[-1]),
            smaller_value=float(a.value[-1]),
            saving=_saving(b, a, point, sign, shared, confidence, together),
            ratio=Interval(row["ratio"], row["ratio_low"], row["ratio_high"]),
            difference=difference(
                *(b.value[point], a.value[-1], _absolute(b)[point], _absolute(a)[-1], b.df, a.df),
                covariance=0.0 if together is None else float(together[point, -1]),
                confidence=confidence,
            ).interval,
            p_holm=row["p_holm"],
            basis=row["basis"],
        )
    return None


def _least(large: Curve, small: Curve, ours: Array, theirs: Array, sign: float) -> int | None:
    """The cheapest step count at which the larger beats the smaller's most steps with less."""
    ahead = (
        (sign * (ours - theirs[-1]) > 0)
        & (large.steps < small.steps[-1])
        & (large.compute < small.compute[-1])
    )
    return int(np.argmax(ahead)) if ahead.any() else None


def _absolute(curve: Curve) -> Array:
    """Standard errors of the values themselves: of each step count's mean over seeds."""
    n = len(curve.y)
    error = curve.std if n == 1 else curve.y.std(axis=0, ddof=1) / math.sqrt(n)
    return np.asarray(error * curve.value if curve.logarithmic else error)


def _covariance(large: Curve, small: Curve) -> Array | None:
    """Covariances of the errors of the larger's step counts, then the smaller's.

    From what values of the same draws have in common; None where no influences of both are known.
    """
    if large.rows is None or small.rows is None:
        return None
    return np.nan_to_num(covariance(pd.concat([large.rows, small.rows], ignore_index=True)))


def _saving(
    large: Curve,
    small: Curve,
    point: int,
    sign: float,
    shared: float,
    confidence: float,
    together: Array | None = None,
) -> Interval:
    """Saving over curves that the errors allow, each selected anew; 1 where none would be ahead.

    `together`: as `_covariance` has it. None: the two models' errors are independent, and those of
    one model's step counts correlated by `shared`.
    """
    value = float(small.compute[-1] / large.compute[point])
    rng = np.random.default_rng(0)
    drawn = []
    if together is None:
        for curve in (large, small):
            error = np.nan_to_num(_absolute(curve))
            common = rng.normal(size=(DRAWS, 1)) * math.sqrt(shared)
            own = rng.normal(size=(DRAWS, len(error))) * math.sqrt(1 - shared)
            drawn.append(curve.value + error * (common + own))
    else:
        # The symmetric root is unique, so that the draws are the same on every machine.
        size, axes = np.linalg.eigh(together)
        root = (axes * np.sqrt(np.maximum(size, 0.0))) @ axes.T
        errors = rng.normal(size=(DRAWS, len(root))) @ root
        parts = np.split(errors, [len(large.value)], axis=1)
        drawn = [c.value + e for c, e in zip((large, small), parts, strict=True)]
    found = [_least(large, small, ours, theirs, sign) for ours, theirs in zip(*drawn, strict=True)]
    savings = [1.0 if p is None else float(small.compute[-1] / large.compute[p]) for p in found]
    low, high = np.quantile(savings, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, min(value, float(low)), max(value, float(high)))


def _chosen(
    sweep: pd.DataFrame, curves: dict[str, Curve], pairs: Sequence[tuple[str, str]] | str
) -> list[tuple[str, str]]:
    if not isinstance(pairs, str):
        return [(a, b) for a, b in pairs if a in curves and b in curves]
    first = sweep.drop_duplicates("label")
    groups: dict[object, list[str]] = {}
    for label, key in zip(first["label"], series(first, "size"), strict=True):
        if str(label) in curves and key is not None:
            groups.setdefault(key, []).append(str(label))
    chosen: list[tuple[str, str]] = []
    for labels in groups.values():
        labels.sort(key=lambda name: (curves[name].gflops, name))
        chosen += list(combinations(labels, 2) if pairs == "all" else pairwise(labels))
    return chosen
