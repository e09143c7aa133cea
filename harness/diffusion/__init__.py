"""Diffusion: the noise schedule, the training loss, the samplers, guidance, and all random draws.

Importing this package does not import torch: names are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Diffusion": "gaussian",
    "SampleNoise": "draws",
    "TrainingDraws": "draws",
    "guided": "guidance",
    "kept_timesteps": "schedule",
    "sample_labels": "draws",
    "training_draws": "draws",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """So that help() and completion list the lazy names."""
    return sorted({*globals(), *__all__})
