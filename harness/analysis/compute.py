"""Who is ahead at equal compute: the training frontier (Figure 9), sampling compute (Figure 10)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from harness.analysis.metrics import higher_is_better
from harness.analysis.sampling import HeadlinePair, headline_pair

__all__ = [
    "HeadlinePair",
    "compare_sampling",
    "frontier",
    "headline_pair",
    "share_larger_ahead",
    "steps_forward",
]


def frontier(curves: pd.DataFrame, metric: str, compute: str = "train_gflops") -> pd.DataFrame:
    """The points no other point beats with as little compute: rows of `curves`, by compute."""
    rows = curves[curves[compute].notna()].copy()
    sign = -1.0 if higher_is_better(metric) else 1.0
    rows["_loss"] = sign * rows["value"]
    rows = rows.sort_values([compute, "_loss"], kind="stable")
    best = rows["_loss"].cummin()
    ahead = rows["_loss"] < best.shift(fill_value=np.inf)
    return rows[ahead].drop(columns="_loss").reset_index(drop=True)


def compare_sampling(sweep: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Every pair of models over the range of sampling compute that both cover.

    Log value is interpolated linearly over log compute (values must be positive; others are left
    out). Columns: smaller, larger (by Gflops), low, high (the common range, Gflops per image),
    ratio (geometric mean over the range of how many times better the larger is; below 1: worse),
    share (of the range in which the larger is ahead), ahead ("larger", "smaller" or "neither", by
    ratio), same_patch (have both models the same patch size?). Pairs without a common range, or of
    equal Gflops, are absent.
    """
    curves = []
    usable = sweep[(sweep["value"] > 0) & (sweep["sampling_gflops"] > 0)]
    for label, rows in usable.groupby("label", sort=False):
        rows = rows.sort_values("sampling_gflops")
        x = np.log(rows["sampling_gflops"].to_numpy(float))
        y = np.log(rows["value"].to_numpy(float))
        if len(x) > 1:
            patch = rows["patch_size"].iloc[0]
            curves.append((str(label), float(rows["gflops"].iloc[0]), x, y, patch))
    curves.sort(key=lambda c: (c[1], c[0]))
    sign = -1.0 if higher_is_better(metric) else 1.0
    found = []
    for i, (small, small_gflops, xs, ys, small_patch) in enumerate(curves):
        for large, large_gflops, xl, yl, large_patch in curves[i + 1 :]:
            low, high = max(xs[0], xl[0]), min(xs[-1], xl[-1])
            if high <= low or large_gflops == small_gflops:
                continue
            grid = np.linspace(low, high, 201)
            gain = sign * (np.interp(grid, xs, ys) - np.interp(grid, xl, yl))
            mean = float(gain.mean())
            found.append(
                {
                    "smaller": small,
                    "larger": large,
                    "low": float(np.exp(low)),
                    "high": float(np.exp(high)),
                    "ratio": float(np.exp(mean)),
                    "share": float((gain > 0).mean()),
                    "ahead": "larger" if mean > 0 else "smaller" if mean < 0 else "neither",
                    "same_patch": bool(pd.notna(small_patch) and small_patch == large_patch),
                }
            )
    columns = ["smaller", "larger", "low", "high", "ratio", "share", "ahead", "same_patch"]
    return pd.DataFrame(found, columns=columns)


def share_larger_ahead(pairs: pd.DataFrame) -> float | None:
    """Share of `compare_sampling`'s pairs in which the larger model is ahead; None of none."""
    return float((pairs["ahead"] == "larger").mean()) if len(pairs) else None


def steps_forward(final: pd.DataFrame, metric: str, along: str) -> tuple[int, int]:
    """(better, all) over neighbouring models that differ in one thing alone.

    `along` "size": one size up at the same patch size; "patch_size": the next smaller patch at the
    same size. Counts how often that step improved the metric.
    """
    sign = 1.0 if higher_is_better(metric) else -1.0
    fixed = "patch_size" if along == "size" else "size"
    better = total = 0
    rows = final[final["size"].notna() & final["patch_size"].notna()].copy()
    # What the label says besides the model's name: the block, the recipe, whatever else varies.
    rows["rest"] = [
        str(label).removeprefix(str(model))
        for label, model in zip(rows["label"], rows["model"], strict=True)
    ]
    for _, group in rows.groupby([fixed, "family", "block", "image_size", "rest"], dropna=False):
        values = group.sort_values("gflops")["value"].to_list()
        for before, after in pairwise(values):
            total += 1
            better += sign * (after - before) > 0
    return better, total
