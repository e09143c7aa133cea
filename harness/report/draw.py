"""From a drawing to a figure block."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report import style
from harness.report.blocks import Figure, Text
from harness.report.figures.marks import Drawing


def drawn(label: str, drawing: Drawing, caption: Sequence[Text]) -> Figure:
    """The block of a drawing, under `fig-LABEL`: its SVG, its numbers and its words."""
    return Figure(
        label=f"fig-{label}",
        svg=style.svg(drawing.figure),
        caption=[c for c in caption if c != ""],
        alt=drawing.alt,
        data=drawing.data,
        wide=drawing.wide,
    )
