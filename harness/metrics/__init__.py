"""Metrics of generated images: FID, sFID, Inception Score, precision, recall, and the rest.

Reference behaviour: ADM's evaluator (Dhariwal & Nichol 2021, the one the DiT paper used). The
Inception network and its resize come from torch-fidelity; what is written here is what that lacks.
Importing this package does not import torch; `Features` and `load_extractor` do when used.
"""

from __future__ import annotations

import importlib
from typing import Any

# These two modules carry the name of the function they export, and importing a submodule binds its
# name on the package: imported first, so that `harness.metrics.measure` is always the function.
from harness.metrics.evaluate import evaluate
from harness.metrics.measure import Metric, measure

_LAZY = {
    "frechet_distance": "harness.metrics.frechet",
    "inception_score": "harness.metrics.scores",
    "precision_recall": "harness.metrics.neighbours",
    "density_coverage": "harness.metrics.neighbours",
    "kid": "harness.metrics.kernel",
    "fd_infinity": "harness.metrics.extrapolation",
    "extract": "harness.metrics.features",
    "Features": "harness.metrics.features",
    "Moments": "harness.metrics.moments",
    "MomentsAccumulator": "harness.metrics.moments",
    "Reference": "harness.metrics.reference",
    "Extractor": "harness.metrics.extractors",
    "load_extractor": "harness.metrics.extractors",
    "metric_name": "harness.metrics.names",
}

__all__ = ["Metric", "evaluate", "measure", *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """So that help() and completion list the lazy names."""
    return sorted({*globals(), *__all__})
