"""Standard errors of recorded values, from `std` and `std_method` (harness.store.spread)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.store.spread import scale

LARGEST, SMALLEST = 1e75, 1e-75  # beyond these a variance, or its square, is no number


def standard_errors(rows: pd.DataFrame) -> np.ndarray:
    """The standard errors of the values in records, (rows,) float64; NaN where there is none.

    One that is not finite, above 1e75, or below 1e-75 but not 0, is none: its variance
    or degrees of freedom could not be worked out.
    """
    if "std" not in rows:
        return np.full(len(rows), np.nan)
    std = rows["std"].to_numpy(float, na_value=np.nan)
    std = np.where((std == 0) | ((std >= SMALLEST) & (std <= LARGEST)), std, np.nan)
    if "std_method" not in rows:
        return std
    known = {m: scale(m) for m in rows["std_method"].unique() if isinstance(m, str)}
    scales = np.array([known.get(method, 1.0) for method in rows["std_method"]], dtype=float)
    found: np.ndarray = std * scales
    return found
