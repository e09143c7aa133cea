"""What each factor of an ablation does: paired ratios at equal model and seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.report import labels, style, wording
from harness.report.figures import marks
from harness.report.figures.marks import Drawing

PANELS = 9


@style.styled
def effects(points: pd.DataFrame, title: str) -> Drawing:
    """Small multiples, a panel per factor: each level's value over the first level's.

    `points`: factor, level, against, model, gflops, ratio, low, high, one row per level and model.
    Against model compute where models differ in it, so that an effect that changes with scale is a
    slope; else level by level.
    """
    factors = list(dict.fromkeys(points["factor"]))[:PANELS]
    figure, axes = marks.grid(len(factors), 2.2 if len(factors) < 4 else 1.9, most=3)
    for panel, factor in zip(axes, factors, strict=True):
        part = points[points["factor"] == factor]
        panel.axhline(1, color=style.QUIET, linewidth=0.8, zorder=1)
        if part["gflops"].nunique() > 1 and part["model"].nunique() > 1:
            _by_compute(panel, part)
        else:
            _by_level(panel, part)
        ends = part[["ratio", "low", "high"]].to_numpy(float).ravel()
        seen = ends[np.isfinite(ends) & (ends > 0)]
        span = max(*seen, 1.0) / min(*seen, 1.0)
        style.log_axis(panel.yaxis, [*seen, 1.0], pad=max(1.06, span**0.05))
        panel.set_title(labels.short(f"{factor}: over {part['against'].iloc[0]}", 40), loc="left")
    axes[0].set_ylabel(f"ratio of {wording.metric_word(title)}")
    alt = "; ".join(
        f"{r['factor']} {r['level']} over {r['against']}, {r['model']}: {r['ratio']:.3g}"
        for r in marks.records(points)[:24]
    )
    return Drawing(figure, points.reset_index(drop=True), f"Ratios of {title}: {alt}")


def _look(i: int) -> dict[str, Any]:
    """The look of level i; levels can be told apart in grey as well."""
    return {
        "color": style.OTHER_COLOURS[i % len(style.OTHER_COLOURS)],
        "marker": "oD^sv"[i % 5],
        "linestyle": style.OTHER_DASHES[i % 4],
        "markersize": 4.2,
    }


def _bar(axes: Axes, at: float, row: dict[str, Any], colour: str) -> None:
    if np.isfinite([row["low"], row["high"]]).all():
        look: dict[str, Any] = {"marker": "_", "markersize": 4, "markeredgewidth": 0.8}
        axes.plot(
            [at, at], [row["low"], row["high"]], color=colour, linewidth=1.0, zorder=2, **look
        )


def _by_compute(axes: Axes, part: pd.DataFrame) -> None:
    unit, scale = wording.gflops_unit(float(part["gflops"].max()))
    levels = list(dict.fromkeys(part["level"]))
    ends = []
    for i, level in enumerate(levels):
        rows = part[part["level"] == level].sort_values("gflops")
        look = _look(i)
        apart = 1.05 ** (i - (len(levels) - 1) / 2)  # so that intervals do not hide one another
        at = rows["gflops"].to_numpy(float) / scale * apart
        (line,) = axes.plot(at, rows["ratio"].to_numpy(float), linewidth=0.8, **look)
        style.say(line, [f"{r['model']}, {r['level']}: {r['ratio']:.3g}"
                         for r in marks.records(rows)])  # fmt: skip
        for x, row in zip(at, marks.records(rows), strict=True):
            _bar(axes, float(x), row, look["color"])
        ends.append((float(at[-1]), float(rows["ratio"].iloc[-1]), str(level)))
    style.log_axis(axes.xaxis, (part["gflops"].to_numpy(float) / scale).tolist(), pad=1.9)
    axes.set_xlabel(f"model {unit}")
    labels.label_points(axes, ends)


def _by_level(axes: Axes, part: pd.DataFrame) -> None:
    levels = list(dict.fromkeys(part["level"]))
    models = list(dict.fromkeys(part["model"]))
    for row in marks.records(part):
        which = models.index(row["model"])
        shift = (which - (len(models) - 1) / 2) * 0.14 if len(models) < 6 else 0.0
        at = levels.index(row["level"]) + shift
        look = {**_look(which), "linestyle": "none"}
        _bar(axes, at, row, look["color"])
        (point,) = axes.plot(at, row["ratio"], **look)
        style.say(point, [f"{row['model']}, {row['level']}: {row['ratio']:.3g}"])
    axes.set_xlim(-0.5, len(levels) - 0.5)
    labels.name_ticks(axes, levels)
