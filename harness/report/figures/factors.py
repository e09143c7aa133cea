"""What each factor of an ablation does: paired differences at equal model and seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from harness.report import labels, style
from harness.report.figures import marks
from harness.report.figures.marks import Drawing


@style.styled
def effects(rows: pd.DataFrame, title: str) -> Drawing:
    """Small multiples, a panel per factor: each level's difference to the first, with its interval.

    `rows`: factor, level, model, value (the difference), low, high.
    """
    factors = list(dict.fromkeys(rows["factor"]))[:8]
    figure, axes = marks.grid(len(factors), 2.2, most=3)
    for panel, factor in zip(axes, factors, strict=True):
        part = rows[rows["factor"] == factor]
        levels = list(dict.fromkeys(part["level"]))
        models = list(dict.fromkeys(part["model"]))
        for row in marks.records(part):
            shift = (models.index(row["model"]) - (len(models) - 1) / 2) * 0.14
            at = levels.index(row["level"]) + (shift if len(models) > 1 else 0)
            look: dict[str, Any] = {"color": style.OTHER_COLOURS[models.index(row["model"]) % 5]}
            if np.isfinite([row["low"], row["high"]]).all():
                panel.plot([at, at], [row["low"], row["high"]], linewidth=1.0, **look)
            marker = "oD^sv"[models.index(row["model"]) % 5]
            (point,) = panel.plot(at, row["value"], marker=marker, linestyle="none", **look)
            style.say(point, [f"{row['model']}, {row['level']}: {row['value']:.3g}"])
        panel.axhline(0, color=style.QUIET, linewidth=0.8)
        panel.set_xticks(range(len(levels)), [labels.short(str(v), 14) for v in levels])
        panel.set_xlim(-0.5, len(levels) - 0.5)
        panel.set_title(labels.short(str(factor)), loc="left")
    axes[0].set_ylabel(f"difference of {title}")
    alt = "; ".join(
        f"{r['factor']} {r['level']} {r['model']}: {r['value']:.3g}" for r in marks.records(rows)
    )
    return Drawing(figure, rows.reset_index(drop=True), f"Differences of {title}: {alt}")
