"""Over training: quality (Figure 6), block designs (Figure 5) and the loss (Figure 13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.report import labels, style, wording
from harness.report.figures import marks
from harness.report.figures.marks import Drawing

OVER_TRAINING = 12  # settings in Figure 6


@style.styled
def training(curves: pd.DataFrame, title: str, short: str, floor: float | None = None) -> Drawing:
    """Figure 6: quality over training, a panel per patch size and one per model size.

    `curves`: label, group, size, patch_size, step, value, low, high. Where names do not tell models
    apart, a panel per group of models that compare.
    """
    told = panels_by(curves)
    if not told:
        return _by_group(curves, title, floor)
    views: list[tuple[str, pd.DataFrame]] = []
    if "patch_size" in told:
        patches = sorted(curves["patch_size"].unique(), reverse=True)
        views += [(f"patch size {int(p)}", curves[curves["patch_size"] == p]) for p in patches]
    first = len(views)
    if "size" in told:
        sizes = marks.by_size(curves["size"].unique())
        views += [(f"size {s}", curves[curves["size"] == s]) for s in sizes]
    rows = [views[:first], views[first:]] if 0 < first < len(views) else [views]
    widest = max(len(r) for r in rows)
    width = style.COLUMN if widest == 1 else style.WIDE
    figure = style.Canvas(figsize=(width, 2.1 if len(rows) == 1 else 3.3))
    slots = 1
    for row in rows:
        slots *= len(row)
    grid = figure.add_gridspec(len(rows), slots)
    axes = None
    for down, row in enumerate(rows):
        wide = slots // len(row)
        for across, (name, part) in enumerate(row):
            axes = figure.add_subplot(grid[down, across * wide : (across + 1) * wide])
            _lines(axes, part, curves, floor)
            axes.set_title(labels.short(name), loc="left")
            if across:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(short)
            if down == len(rows) - 1:
                axes.set_xlabel("training steps")
    assert axes is not None
    marks.keys(axes, curves)
    return Drawing(figure, _columns(curves), _alt(curves, title))


def panels_by(curves: pd.DataFrame) -> list[str]:
    """The panels of Figure 6: by "patch_size" if sizes differ, by "size" if patches do.

    Empty where the zoo's names do not tell the models apart (custom ones, several designs).
    """
    if len(marks.groups(curves)) > 1 or not marks.names_tell(curves):
        return []
    models = curves.drop_duplicates("label")
    by_patch = ["patch_size"] if models["size"].nunique() > 1 else []
    return by_patch + (["size"] if models["patch_size"].nunique() > 1 else [])


def _by_group(curves: pd.DataFrame, title: str, floor: float | None) -> Drawing:
    parts = marks.groups(curves)[:OVER_TRAINING]
    figure, axes = marks.grid(len(parts), 2.3 if len(parts) < 4 else 1.7)
    for i, (panel, (name, part)) in enumerate(zip(axes, parts, strict=True)):
        _lines(panel, part, curves, floor)
        panel.set_title(labels.short(name), loc="left")
        panel.set_xlabel("training steps")
        if i == 0:
            panel.set_ylabel(wording.on_axis(title))
    marks.keys(axes[0], curves)
    return Drawing(figure, _columns(curves), _alt(curves, title))


def _lines(axes: Axes, part: pd.DataFrame, every: pd.DataFrame, floor: float | None) -> None:
    found = marks.looks(part if len(marks.groups(every)) > 1 else every)
    for label, rows in part.groupby("label", sort=False):
        marks.line(axes, rows, "step", "steps", found[str(label)])
    marks.quality_axis(axes, marks.limits(every), floor)
    marks.step_axis(axes, float(every["step"].max()))
    labels.floor_line(axes, floor)


def panels_of_designs(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """(name, rows) of each network but for its block, in their order: of another image size it is
    another, and its name says so."""
    by = [name for name in ("model", "image_size") if name in rows]
    several = "image_size" in by and rows["image_size"].nunique() > 1
    found = []
    for _, part in rows.groupby(by, sort=False, dropna=False):
        name, size = str(part["model"].iloc[0]), part["image_size"].iloc[0] if several else None
        found.append((name if pd.isna(size) else f"{name}, {int(size)}²", part))
    return found


def of_several_designs(curves: pd.DataFrame) -> pd.DataFrame:
    """The curves of networks that have several block designs; all, where none has."""
    several = [p.index for _, p in panels_of_designs(curves) if p["block"].nunique() > 1]
    return curves[curves.index.isin(np.concatenate(several))] if several else curves


@style.styled
def blocks(curves: pd.DataFrame, title: str, floor: float | None = None) -> Drawing:
    """Figure 5: the block designs over training; a panel per model where there are several.

    A model of one design has no panel where others have several.
    """
    curves = of_several_designs(curves)
    models = panels_of_designs(curves)[: marks.PANELS]
    curves = pd.concat([part for _, part in models], ignore_index=True)
    figure, axes = marks.grid(len(models), 2.4 if len(models) < 4 else 1.8)
    names = design_names(models)
    order = list(dict.fromkeys(names.values()))
    handles: dict[str, Any] = {}
    for panel, (model, part) in zip(axes, models, strict=True):
        for label, rows in part.groupby("label", sort=False):
            name = names[str(label)]
            i = order.index(name)
            look = {
                "color": style.BLOCK_COLOURS.get(name, style.OTHER_COLOURS[i % 5]),
                "linestyle": style.BLOCK_DASHES.get(name, style.OTHER_DASHES[i % 4]),
                "marker": "o^sD"[i % 4],
                "markersize": 3.4,
                "markeredgecolor": "white",
                "markeredgewidth": 0.4,
            }
            marks.line(panel, rows, "step", "steps", look)
            handles.setdefault(name, panel.get_lines()[-1])
        marks.quality_axis(panel, marks.limits(curves), floor)
        marks.step_axis(panel, float(curves["step"].max()))
        labels.floor_line(panel, floor)
        panel.set_title(labels.short(model) if len(models) > 1 else "", loc="left")
        panel.set_xlabel("training steps")
    axes[0].set_ylabel(wording.on_axis(title))
    labels.legend(axes[0], list(handles.values()), list(handles))
    return Drawing(figure, _columns(curves), _alt(curves, title))


def design_names(models: Sequence[tuple[str, pd.DataFrame]]) -> dict[str, str]:
    """A curve's name by its label, the same in each model's panel: its block design; of one design
    that was trained in several ways, what its label says behind the model."""
    found = {}
    for _, part in models:
        blocks_of = part.drop_duplicates("label").set_index("label")["block"]
        rest = labels.without_the_model([str(label) for label in blocks_of.index])
        for (label, block), behind in zip(blocks_of.items(), rest, strict=True):
            found[str(label)] = str(block) if (blocks_of == block).sum() == 1 else behind
    return found


@style.styled
def loss(rows: pd.DataFrame) -> Drawing:
    """Figure 13: training loss, one curve per model.

    `rows`: label, group, size, patch_size, step, value (mean loss of a log interval).
    """
    parts = marks.groups(rows)[: marks.PANELS]
    figure, axes = marks.grid(len(parts), 2.3 if len(parts) == 1 else 2.0)
    values = marks.limits(rows)
    for panel, (name, part) in zip(axes, parts, strict=True):
        found = marks.looks(part)
        for label, curve in part.groupby("label", sort=False):
            curve = curve.sort_values("step")
            every = max(1, len(curve) // 12)
            look = {**found[str(label)], "markevery": every, "markersize": 3.2, "linewidth": 1.0}
            (line,) = panel.plot(
                curve["step"].to_numpy(float), curve["value"].to_numpy(float), **look
            )
            style.say(line, [f"{label}, step {int(r['step']):,}: {r['value']:.3g}"
                             for r in marks.records(curve)[::every]])  # fmt: skip
        if min(values) > 0:
            style.log_axis(panel.yaxis, values, pad=1.08)
        marks.step_axis(panel, float(rows["step"].max()))
        panel.set_title(labels.short(name), loc="left")
        panel.set_xlabel("training steps")
    axes[0].set_ylabel("training loss")
    marks.keys(axes[0], rows)
    last = rows.sort_values("step").groupby("label", sort=False).tail(1)
    alt = "Training loss over steps; at the end " + "; ".join(
        f"{r['label']} {r['value']:.3g}" for r in marks.records(last)[:12]
    )
    return Drawing(figure, _columns(rows), alt)


def _columns(rows: pd.DataFrame) -> pd.DataFrame:
    names = ["label", "group", "model", "size", "patch_size", "block", "step"]
    names += ["value", "low", "high"]
    return rows[[n for n in names if n in rows]].reset_index(drop=True)


def _alt(curves: pd.DataFrame, title: str) -> str:
    steps = sorted(int(s) for s in curves["step"].unique())
    span = f"{steps[0]:,} to {steps[-1]:,}" if len(steps) > 1 else f"{steps[0]:,}"
    return f"{title} at training steps {span} of {', '.join(dict.fromkeys(curves['label']))}"
