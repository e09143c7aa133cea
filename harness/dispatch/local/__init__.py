"""Stages on this machine: warm worker processes, one or several to a stage.

`plan` asks what this machine has, and needs no workers: they are imported when asked for.
"""

from __future__ import annotations

from typing import Any

from harness.dispatch.local.places import cores, gpus, layout

__all__ = ["LocalWorkers", "cores", "gpus", "layout"]


def __getattr__(name: str) -> Any:
    if name == "LocalWorkers":
        from harness.dispatch.local.workers import LocalWorkers

        return LocalWorkers
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
