"""Correlations and power laws of quality against compute."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats


@dataclass(frozen=True)
class Correlation:
    """Of log10 Gflops and quality over `models` configurations (values are means over seeds)."""

    spearman: float  # rank correlation; blind to the shape of the trend
    pearson: float  # of log10 Gflops and the value itself
    p_value: float  # of the Spearman correlation, two-sided, all orders being equally likely
    models: int
    spearman_by_seed: tuple[float, ...] = ()  # where there are at least two seeds


@dataclass(frozen=True)
class PowerLaw:
    """value = scale * Gflops ** exponent, fitted by least squares in log-log."""

    exponent: float
    scale: float
    r2: float  # in log-log
    stderr: float  # of the exponent
    models: int
    exponent_std: float | None = None  # over seeds, each fitted alone

    def at(self, gflops: np.ndarray) -> np.ndarray:
        """The fitted values at `gflops` (any shape)."""
        return np.asarray(self.scale * np.asarray(gflops, float) ** self.exponent)


def correlation(final: pd.DataFrame, by_seed: pd.DataFrame | None = None) -> Correlation | None:
    """Correlation over the rows of `final_quality`; None below three models or without variation.

    `by_seed`: rows with `seed`, `gflops` and `value` (not averaged), for the spread.
    """
    x, y = _finite(final)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    rank = stats.spearmanr(x, y)
    return Correlation(
        spearman=float(rank.statistic),
        pearson=float(stats.pearsonr(x, y).statistic),
        p_value=_p_value(x, y, float(rank.statistic)) if len(x) < 9 else float(rank.pvalue),
        models=len(x),
        spearman_by_seed=tuple(
            float(stats.spearmanr(sx, sy).statistic)
            for sx, sy in _seeds(by_seed)
            if len(sx) >= 3 and np.ptp(sx) > 0 and np.ptp(sy) > 0
        ),
    )


def _p_value(x: np.ndarray, y: np.ndarray, found: float) -> float:
    """Share of all orders of `y` that correlate as strongly; the usual formula is for large samples
    (three models in perfect order: it says 0, one order in three does so)."""
    ranks = stats.rankdata(x), stats.rankdata(y)
    centred = [(r - r.mean()) / r.std() for r in ranks]
    orders = np.array(list(itertools.permutations(range(len(x)))), dtype=np.int8)
    spearman = centred[1][orders] @ centred[0] / len(x)
    return float((np.abs(spearman) >= abs(found) - 1e-9).mean())


def power_law(final: pd.DataFrame, by_seed: pd.DataFrame | None = None) -> PowerLaw | None:
    """The law of best fit over positive values.

    None below three models, or where their Gflops span less than a factor of two: four block
    designs of one model say nothing of scaling.
    """
    fitted = _fit(*_finite(final))
    if fitted is None:
        return None
    exponents = [f[0] for f in (_fit(x, y) for x, y in _seeds(by_seed)) if f is not None]
    spread = float(np.std(exponents, ddof=1)) if len(exponents) > 1 else None
    exponent, scale, r2, stderr, models = fitted
    return PowerLaw(exponent, scale, r2, stderr, models, spread)


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float, int] | None:
    x, y = x[y > 0], y[y > 0]
    if len(x) < 3 or np.ptp(x) < np.log10(2):
        return None
    line = stats.linregress(x, np.log10(y))
    r2 = line.rvalue**2 if np.ptp(y) else 0.0
    return line.slope, 10**line.intercept, r2, line.stderr, len(x)


def _finite(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(log10 Gflops, value) of the usable rows."""
    x = frame["gflops"].to_numpy(float, na_value=np.nan)
    y = frame["value"].to_numpy(float, na_value=np.nan)
    usable = np.isfinite(x) & np.isfinite(y) & (x > 0)
    return np.log10(x[usable]), y[usable]


def _seeds(by_seed: pd.DataFrame | None) -> list[tuple[np.ndarray, np.ndarray]]:
    if by_seed is None or not len(by_seed) or by_seed["seed"].nunique() < 2:
        return []
    return [_finite(rows) for _, rows in by_seed.groupby("seed")]
