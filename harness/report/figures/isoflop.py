"""Quality by model size at equal training compute, and the best size of each budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.analysis.isoflop import FACTOR, Surface
from harness.report import style, wording
from harness.report.figures import marks
from harness.report.figures.marks import Drawing


@style.styled
def isoflop(rows: pd.DataFrame, surface: Surface, budgets: Sequence[float], title: str) -> Drawing:
    """`rows`: label, gflops, train_gflops, value, low, high of checkpoints; budgets in Gflops."""
    figure, (panel,) = marks.grid(1, 2.4)
    sizes = rows["gflops"].astype(float)
    unit, scale = wording.gflops_unit(float(sizes.max()))
    span = np.geomspace(float(sizes.min()), float(sizes.max()), 60)
    lines = []
    for i, budget in enumerate(budgets):
        colour = style.OTHER_COLOURS[i % len(style.OTHER_COLOURS)]
        fitted = surface.at(span, budget / (FACTOR * span))
        panel.plot(span / scale, fitted, color=colour, linewidth=1.0, zorder=2,
                   label=f"{wording.number(budget)} Gflops")  # fmt: skip
        best = surface.optimum(budget).value
        at = float(np.clip(best, span[0], span[-1]))
        value = float(surface.at(at, budget / (FACTOR * at)))
        face = colour if span[0] <= best <= span[-1] else "white"
        panel.plot(at / scale, value, marker="X", markersize=6, color=colour, zorder=4,
                   markerfacecolor=face, linestyle="none")  # fmt: skip
        lines.append(f"{wording.number(budget)} Gflops: best at {wording.number(best)}")
    marks.points(panel, rows.assign(size=None), "gflops", unit, scale)
    style.log_axis(panel.xaxis, (sizes / scale).to_list())
    values = rows["value"].astype(float)
    style.log_axis(panel.yaxis, values.to_list())
    panel.set_xlabel(f"model compute ({unit})")
    panel.set_ylabel(wording.on_axis(title))
    panel.legend(title="budget", fontsize=6, title_fontsize=6, loc="upper right", frameon=False)
    columns = [
        c for c in ("label", "step", "gflops", "train_gflops", "value", "low", "high") if c in rows
    ]
    alt = f"{title} by model compute at equal training compute. {'; '.join(lines)}."
    return Drawing(figure, rows[columns].reset_index(drop=True), alt)
