"""The names of metrics, which depend on the features that they were computed on.

Only Inception-2015 features may be called FID, sFID or Inception Score. Any other extractor's
values are named for it (`fd_glyphs_cnn`), so that no table can mix them up with the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness import components
from harness.components.metric import Metric
from harness.components.registry import UnknownComponent
from harness.errors import BadInput
from harness.nearest import did_you_mean


def metric_names() -> tuple[str, ...]:
    """Every metric that can be asked for."""
    return components.names("metric")


def chosen(metrics: Sequence[str | Metric]) -> list[Metric]:
    """The metrics of a list of names and components, each once.

    Raises BadInput that lists every unknown name, and those that there are.
    """
    found: dict[str, Metric] = {}
    unknown: list[str] = []
    for metric in metrics:
        try:
            made = components.get("metric", metric)() if isinstance(metric, str) else metric
        except UnknownComponent:
            unknown.append(str(metric))
            continue
        assert isinstance(made, Metric)
        found.setdefault(made.name, made)
    if unknown:
        known = ", ".join(metric_names())
        said = ", ".join(f"{name}{did_you_mean(name, metric_names())}" for name in unknown)
        what = "metric" if len(unknown) == 1 else "metrics"
        raise BadInput(f"unknown {what} {said}; there are: {known}")
    return list(found.values())


def metric_name(metric: str, extractor: str) -> str:
    """The recorded name of `metric` on the features of `extractor`. Raises BadInput: unknown.

    >>> metric_name("fd", "inception-2015"), metric_name("fd", "glyphs-cnn")
    ('fid', 'fd_glyphs_cnn')
    """
    cls = components.get("metric", metric)
    assert issubclass(cls, Metric)
    return cls.recorded(extractor)
