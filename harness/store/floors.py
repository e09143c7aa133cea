"""Floors and ceilings beside samples: which is of which number, found when records are read.

A floor is no input of an evaluation: it may be measured before or after, and its row stands for
itself. It is the floor of a number when reference, metric, k, chunk size and the number of images
are the same. Where it is of fewer images, it is the floor of the subset of so many samples, whose
rows (`of` subset) stand for themselves. Until version 5 a floor was measured with the reference, of
as many images as the study said and with k = 3, and was written into the rows of the samples: those
stay, but for another k, and the number of images behind them stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

OLD_K = 3
SAME = ("reference_key", "metric", "samples", "k", "split_size")


def complete(metrics: pd.DataFrame) -> None:
    """Fill `floor` and `floor_images` of samples, in place."""
    if metrics.empty:
        return
    floors = metrics["of"].eq("floor").fillna(False)
    old = floors & (metrics["key"] == metrics["reference_key"]).fillna(False)
    neighbours = metrics["distance_dtype"].notna()  # the metrics that have a k
    metrics.loc[old & neighbours & metrics["k"].isna(), "k"] = OLD_K
    metrics.loc[floors, "floor_images"] = metrics.loc[floors, "samples"]
    samples = ~floors & metrics["reference_key"].notna()
    ceilings = metrics["of"].eq("ceiling").fillna(False)
    metrics.loc[ceilings, "ceiling"] = metrics.loc[ceilings, "value"]
    samples &= ~ceilings
    _of_old(metrics, samples, old)
    hit = _beside(metrics, samples, floors & ~old, "floor", SAME)
    metrics.loc[hit, "floor_images"] = metrics.loc[hit, "samples"]
    _beside(metrics, samples, ceilings, "ceiling", (*SAME, "autoencoder", "decoder"))


def mark(metrics: pd.DataFrame, references: Mapping[str, str]) -> None:
    """Mark old floors of these references (key -> why) invalid, in place; no value has them."""
    old = metrics["key"].isin(references.keys()) & metrics["of"].eq("floor").fillna(False)
    if not old.any():
        return
    metrics.loc[old, "invalid"] = metrics.loc[old, "key"].map(dict(references)).astype("string")
    beside = {*_identities(metrics[old], ("reference_key", "metric", "floor"))}
    rows = metrics[metrics["floor"].notna() & ~metrics["of"].eq("floor").fillna(False)]
    identities = _identities(rows, ("reference_key", "metric", "floor"))
    hit = rows.index[[identity in beside for identity in identities]]
    metrics.loc[hit, ["floor", "floor_images"]] = None


def _of_old(metrics: pd.DataFrame, samples: Any, old: Any) -> None:
    """Floors of older rows: those of the same k, with the number of images behind each."""
    said = samples & metrics["floor"].notna()
    other = said & metrics["k"].notna() & (metrics["k"] != OLD_K).fillna(False)
    metrics.loc[other, "floor"] = None
    images = dict(
        zip(
            _identities(metrics[old], ("reference_key", "metric")),
            metrics.loc[old, "samples"],
            strict=True,
        )
    )
    lacking = said & ~other & metrics["floor_images"].isna()
    if lacking.any():
        found = [images.get(i) for i in _identities(metrics[lacking], ("reference_key", "metric"))]
        metrics.loc[lacking, "floor_images"] = found


def _beside(
    metrics: pd.DataFrame, samples: Any, others: Any, column: str, same: tuple[str, ...]
) -> Any:
    """Fill a column of the samples with what was measured as they were; the rows that have it."""
    if not others.any():
        return metrics.index[:0]
    own = metrics[others & metrics["value"].notna()]
    values: dict[tuple[Any, ...], set[float]] = {}
    for identity, value in zip(_identities(own, same), own["value"], strict=True):
        values.setdefault(identity, set()).add(float(value))
    # Two that these columns do not tell apart (a metric's own settings): neither is it.
    known = {identity: found.pop() for identity, found in values.items() if len(found) == 1}
    rows = metrics[samples]
    found = [known.get(i) for i in _identities(rows, same)]
    hit = rows.index[[value is not None for value in found]]
    metrics.loc[hit, column] = [value for value in found if value is not None]
    return hit


def _identities(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Rows by these columns; nulls are alike."""
    plain = frame[list(columns)].astype(object)
    return list(plain.where(plain.notna(), None).itertuples(index=False, name=None))
