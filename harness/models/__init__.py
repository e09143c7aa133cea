"""Models: the DiT and its blocks, the zoo, checkpoint formats, complexity.

Importing this package does not import torch: names are loaded on first use, so that the planner
can read the zoo.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.models.checkpoint import load_checkpoint, save_checkpoint
    from harness.models.construct import build
    from harness.models.counting import Complexity, complexity
    from harness.models.dit import DiT
    from harness.models.exporting import Exported, export

_HOMES = {
    "build": "construct",
    "DiT": "dit",
    "complexity": "counting",
    "Complexity": "counting",
    "load_checkpoint": "checkpoint",
    "save_checkpoint": "checkpoint",
    "export": "exporting",
    "Exported": "exporting",
}

__all__ = [
    "Complexity",
    "DiT",
    "Exported",
    "build",
    "complexity",
    "export",
    "load_checkpoint",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"harness.models.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """So that help() and completion list the lazy names."""
    return sorted({*globals(), *__all__})
