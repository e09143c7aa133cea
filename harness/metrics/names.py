"""What a metric is called, given the features it was computed on.

Only Inception-2015 features may be called FID, sFID or Inception Score. Any other extractor's
values are named for it (`fd_glyphs_cnn`), so that no table can mix them up with the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import BadInput

INCEPTION = "inception-2015"

# metric -> (name on Inception-2015 features, stem on any other)
METRICS: dict[str, tuple[str, str]] = {
    "fd": ("fid", "fd"),
    "sfd": ("sfid", "sfd"),
    "is": ("inception_score", "is"),
    "precision": ("precision", "precision"),
    "recall": ("recall", "recall"),
    "density": ("density", "density"),
    "coverage": ("coverage", "coverage"),
    "kid": ("kid", "kid"),
    "fd_infinity": ("fid_infinity", "fd_infinity"),
}


def check_metrics(metrics: Sequence[str]) -> None:
    """Raises BadInput unless every one of `metrics` is a key of METRICS."""
    unknown = [m for m in metrics if m not in METRICS]
    if unknown:
        raise BadInput(f"unknown metrics {', '.join(unknown)}; there are: {', '.join(METRICS)}")


def metric_name(metric: str, extractor: str) -> str:
    """The recorded name of `metric` (a key of METRICS) on the features of `extractor`.

    >>> metric_name("fd", "inception-2015"), metric_name("fd", "glyphs-cnn")
    ('fid', 'fd_glyphs_cnn')
    """
    if metric not in METRICS:
        raise BadInput(f"unknown metric {metric!r}; there are: {', '.join(METRICS)}")
    on_inception, stem = METRICS[metric]
    if extractor == INCEPTION:
        return on_inception
    return f"{stem}_{extractor.replace('-', '_')}"
