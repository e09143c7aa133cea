"""Settings of a stage and details of a metric as columns of the records, by the columns' names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from harness.store.provenance import versions
from harness.store.tables import METRICS, MODEL, Column

_OF_MODEL = {column.name for column in MODEL}
SAMPLING = tuple(c for c in METRICS if c.name not in _OF_MODEL)  # how samples were drawn
OF_METRIC = (  # columns that a metric's details fill
    "std_method",
    "extractor",
    "extractor_sha256",
    "reference_images",
    "reference_sha256",
    "recall_images",
    "k",
    "split_size",
    "distance_dtype",
)


def recorded(settings: BaseModel, columns: Iterable[Column]) -> dict[str, Any]:
    """The settings whose names are among `columns`, so that no other place spells them."""
    names = [c.name for c in columns if c.name in type(settings).model_fields]
    return {name: getattr(settings, name) for name in names}


def metric_columns(details: dict[str, Any], resize: str) -> dict[str, Any]:
    """The columns that a metric's details fill; what has no column is `measured_with`."""
    rest = {n: value for n, value in details.items() if n not in OF_METRIC}
    rest["versions"] = {n: v for n, v in versions().items() if n not in ("harness", "torch")}
    return {
        "resize": resize,
        **{n: details.get(n) for n in OF_METRIC},
        "measured_with": rest,
    }


def measured_row(measured: Any, resize: str, **more: Any) -> dict[str, Any]:
    """The row of one harness.metrics.Metric; `more`: of details that have no column."""
    return {
        "metric": measured.name,
        "value": measured.value,
        "std": measured.std,
        "std_df": measured.std_df if measured.std is not None else None,
        **metric_columns({**measured.details, **more}, resize),
    }
