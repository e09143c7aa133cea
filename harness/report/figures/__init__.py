"""The figures, numbered as in the paper: each a function of frames that gives a `Drawing`."""

from __future__ import annotations

from harness.report.figures.compute import sampling, training_compute
from harness.report.figures.factors import effects
from harness.report.figures.guidance import guidance
from harness.report.figures.isoflop import isoflop
from harness.report.figures.marks import Drawing
from harness.report.figures.scaling import gflops, metrics, ratios
from harness.report.figures.systems import bubbles, systems
from harness.report.figures.training import (
    blocks,
    loss,
    of_several_designs,
    panels_of_designs,
    training,
)

__all__ = [
    "Drawing",
    "blocks",
    "bubbles",
    "effects",
    "gflops",
    "guidance",
    "isoflop",
    "loss",
    "metrics",
    "of_several_designs",
    "panels_of_designs",
    "ratios",
    "sampling",
    "systems",
    "training",
    "training_compute",
]
