"""Metrics of generated images: FID, sFID, Inception Score, precision, recall, and the rest.

Reference behaviour: ADM's evaluator (Dhariwal & Nichol 2021, the one the DiT paper used). The
Inception network and its resize come from torch-fidelity; what is written here is what that lacks.
Importing this package does not import torch; `Features` and `load_extractor` do when used.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_LAZY |= {
    "Metric": "harness.metrics.measure",
    "evaluate": "harness.metrics.evaluate",
    "measure": "harness.metrics.measure",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """So that help() and completion list the lazy names."""
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Two modules carry the name of the function that they export, and importing a submodule binds
    its name on the package: `harness.metrics.measure` is the function all the same."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _LAZY and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
