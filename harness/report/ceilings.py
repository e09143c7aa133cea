"""What decoded noise scores, beside values that were measured in the same way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis import selection


@dataclass(frozen=True)
class Ceiling:
    """A value of decoded noise."""

    value: float
    noise: tuple[float, float] | None = None  # its standard error and degrees of freedom


def ceiling_of(
    rows: pd.DataFrame, metric: str, beside: pd.DataFrame, protocol: selection.Protocol | None
) -> Ceiling | None:
    """The ceiling of values: of their reference, number of samples and decoder.

    rows: the metrics' table. beside: those of its rows that are compared, of one reference. None
    where none was measured so, or several that these do not tell apart (another seed).
    """
    if protocol is None:
        return None
    own = rows[(rows["metric"] == metric) & (rows["of"] == "ceiling") & rows["value"].notna()]
    references = beside["reference_key"].dropna().unique()
    if len(references):
        own = own[own["reference_key"].isin(references).fillna(False)]
    for column in ("samples", "decoder", "k", "split_size"):
        wanted = getattr(protocol, column)
        if wanted is not None:  # null in records of before: any
            own = own[(own[column] == wanted).fillna(True)]
    values = {float(v) for v in own["value"] if np.isfinite(v)}
    if len(values) != 1:
        return None
    std, df = selection.errors(own.drop_duplicates("value"))
    noise = (float(std[0]), float(df[0])) if len(std) == 1 and np.isfinite(std[0]) else None
    return Ceiling(values.pop(), noise)
