"""Stages on this machine: warm worker processes, one or several to a stage."""

from harness.dispatch.local.places import cores, gpus, layout
from harness.dispatch.local.workers import LocalWorkers

__all__ = ["LocalWorkers", "cores", "gpus", "layout"]
