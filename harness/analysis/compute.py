"""The training frontier (Figure 9): which points nothing beats with as little compute."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.analysis.metrics import higher_is_better


def frontier(curves: pd.DataFrame, metric: str, compute: str = "train_gflops") -> pd.DataFrame:
    """The points no other point beats with as little compute: rows of `curves`, by compute."""
    rows = curves[curves[compute].notna()].copy()
    sign = -1.0 if higher_is_better(metric) else 1.0
    rows["_loss"] = sign * rows["value"]
    rows = rows.sort_values([compute, "_loss"], kind="stable")
    best = rows["_loss"].cummin()
    ahead = rows["_loss"] < best.shift(fill_value=np.inf)
    return rows[ahead].drop(columns="_loss").reset_index(drop=True)
