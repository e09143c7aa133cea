"""What bounds a metric: the floor, of real images, and the ceiling, of decoded noise.

Both depend on the number of images and on the reference, so each is looked for beside the values
that it is to bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.averaging import errors
from harness.analysis.protocol import Protocol
from harness.analysis.remembered import remembered


@dataclass(frozen=True)
class Limit:
    """A floor or a ceiling."""

    value: float
    images: int | None = None  # behind it; None: not told
    noise: tuple[float, float] | None = None  # its standard error and degrees of freedom


def floor(metrics: pd.DataFrame, metric: str) -> float | None:
    """The metric for real images against the reference; None where that is no one number."""
    found = floor_beside(metrics, metric)
    return None if found is None else found.value


@remembered
def floor_beside(
    metrics: pd.DataFrame, metric: str, protocol: Protocol | None = None
) -> Limit | None:
    """The metric for real images against the reference, and of how many images.

    metrics: the records' table. protocol: of the values that it is to stand beside. A floor of
    another k does not belong to them, and one of as many images or more comes before one of fewer.
    None where it was not measured or says nothing, and where several are left (references that have
    floors of their own): no one number is then the floor of all.
    """
    rows = metrics[metrics["metric"] == metric]
    beside = rows[rows["of"].fillna("samples") == "samples"]
    own = rows[rows["of"] == "floor"]
    if "invalid" in own:
        own = own[own["invalid"].isna()]
    if protocol is not None:
        beside = beside[beside["samples"].isin([protocol.samples])]
        if protocol.k is not None:
            own = own[own["k"].isna() | own["k"].isin([protocol.k])]
    images = "floor_images" if "floor_images" in rows else None
    alone = _distinct(own, "value", "samples")
    behind = dict(alone)
    found = {(v, n or behind.get(v)) for v, n in _distinct(beside, "floor", images)} or alone
    if protocol is not None and protocol.samples is not None:
        enough = {f for f in found if f[1] is None or f[1] >= protocol.samples}
        exact = {f for f in enough if f[1] == protocol.samples}
        found = exact or enough or found
    if len({value for value, _ in found}) != 1:
        return None
    value, count = max(found, key=lambda f: f[1] or 0)
    return Limit(value, count, _noise(rows[(rows["of"] == "floor") & (rows["value"] == value)]))


def ceiling_beside(
    metrics: pd.DataFrame, metric: str, protocol: Protocol | None, beside: pd.DataFrame
) -> Limit | None:
    """The metric for decoded noise against the reference, from the same number and decoder.

    metrics: the records' table. protocol, beside: of the values that are compared, and their rows,
    of one reference. None where none was measured so, or several that these do not tell apart
    (another seed).
    """
    if protocol is None:
        return None
    own = metrics[(metrics["metric"] == metric) & (metrics["of"] == "ceiling")]
    own = own[own["value"].notna()]
    references = beside["reference_key"].dropna().unique()
    if len(references):
        own = own[own["reference_key"].isin(references).fillna(False)]
    for column in ("samples", "decoder", "k", "split_size"):
        wanted = getattr(protocol, column)
        if wanted is not None:  # null in records of before: any
            own = own[(own[column] == wanted).fillna(True)]
    values = {float(v) for v in own["value"] if np.isfinite(v)}
    return Limit(values.pop(), protocol.samples, _noise(own)) if len(values) == 1 else None


def _noise(rows: pd.DataFrame) -> tuple[float, float] | None:
    """(standard error, degrees of freedom) of the one value of `rows`; None: none is recorded."""
    std, df = errors(rows.drop_duplicates("value"))
    return (float(std[0]), float(df[0])) if len(std) == 1 and np.isfinite(std[0]) else None


def _distinct(rows: pd.DataFrame, value: str, images: str | None) -> set[tuple[float, int | None]]:
    """Finite values, each with its number of images where that is told."""
    numbers = rows[images] if images is not None else [None] * len(rows)
    return {
        (float(v), None if n is None or pd.isna(n) else int(n))
        for v, n in zip(rows[value], numbers, strict=True)
        if pd.notna(v) and np.isfinite(float(v))
    }
