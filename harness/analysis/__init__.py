"""From records to findings: pure functions of pandas frames, no files and no plotting.

The frames are those of `load_results` (columns: harness.store.tables). Missing stays missing: a
null or non-finite value is left out and counted, never replaced. Several seeds of one
configuration become a mean with its spread.

Nothing heavy is imported until a function is used.
"""

from __future__ import annotations

import importlib
from typing import Any

_LAZY = {
    "load_results": "harness.results",
    "primary_metric": "harness.analysis.metrics",
    "kind": "harness.analysis.metrics",
    "title": "harness.analysis.metrics",
    "short_title": "harness.analysis.metrics",
    "higher_is_better": "harness.analysis.metrics",
    "Protocol": "harness.analysis.selection",
    "measured": "harness.analysis.selection",
    "labelled": "harness.analysis.selection",
    "final_quality": "harness.analysis.selection",
    "over_training": "harness.analysis.selection",
    "sampling_sweep": "harness.analysis.selection",
    "floor": "harness.analysis.selection",
    "Correlation": "harness.analysis.fits",
    "correlation": "harness.analysis.fits",
    "PowerLaw": "harness.analysis.fits",
    "power_law": "harness.analysis.fits",
    "frontier": "harness.analysis.compute",
    "compare_sampling": "harness.analysis.compute",
    "share_larger_ahead": "harness.analysis.compute",
    "headline_pair": "harness.analysis.compute",
    "HeadlinePair": "harness.analysis.compute",
    "steps_forward": "harness.analysis.compute",
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
