"""The figures, each a function of the findings; numbered as in the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from harness.report import style, wording
from harness.report.findings import Findings
from harness.report.style import png, svg

MOST_NAMES = 24  # of models in one figure: more cover each other, and the table has them

__all__ = ["blocks", "gflops", "guidance", "png", "sampling", "svg", "training", "training_compute"]


@style.styled
def gflops(found: Findings) -> Figure:
    """Figure 8: model Gflops against final quality; beside it the paper's own models, if any."""
    beside = len(found.paper) >= 3
    figure, axes = style.canvas(
        style.WIDE if beside else style.COLUMN, 2.4, ncols=2 if beside else 1, squeeze=False
    )
    unit, scale = wording.gflops_unit(float(found.final["gflops"].max()))
    _scatter(axes[0][0], found.final, unit, scale, found.floor, found.law)
    axes[0][0].set_ylabel(found.title)
    if beside:
        from harness.analysis.fits import power_law

        axes[0][0].set_title("this study", loc="left")
        axes[0][1].set_title("the paper, 400K steps on ImageNet 256×256", loc="left")
        _scatter(axes[0][1], found.paper, "Gflops", 1.0, None, power_law(found.paper))
        axes[0][1].set_ylabel("the paper's FID-50K")
    return figure


def _scatter(
    axes: Axes, rows: pd.DataFrame, unit: str, scale: float, floor: float | None, law: Any
) -> None:
    points, values = [], []
    for i, row in enumerate(_records(rows)):
        x, y = row["gflops"] / scale, row["value"]
        look = {**style.look(row, i), "linestyle": "none"}
        std = row.get("std")
        if std is not None and np.isfinite(std):
            axes.errorbar(x, y, yerr=std, color=look["color"], linewidth=0.9, zorder=2)
            values += [y - std, y + std]
        axes.plot(x, y, markersize=5.6, zorder=3, **look)
        values.append(y)
        points.append((x, y, _short(row), style.INK))
    style.log_axis(axes.xaxis, [p[0] for p in points], pad=1.6)
    style.quality_axis(axes, values, floor)
    curve: list[tuple[float, float]] = []
    if law is not None:
        x = np.geomspace(min(p[0] for p in points), max(p[0] for p in points), 100)
        limits = axes.get_ylim()
        axes.plot(x, law.at(x * scale), color=style.QUIET, linewidth=0.9, zorder=1)
        axes.set_ylim(limits)
        curve = list(zip(x.tolist(), law.at(x * scale).tolist(), strict=True))
    axes.set_xlabel(f"model {unit} per forward pass")
    _name_floor(axes, floor)
    if len(points) <= 2 * MOST_NAMES:
        style.label_points(axes, points, curve)


@style.styled
def other_metrics(found: Findings, others: list[tuple[str, pd.DataFrame, float | None]]) -> Figure:
    """Figure 12: Gflops against the other metrics of the same samples.

    `others`: (axis title, rows as `found.final`, floor), one panel each.
    """
    figure, axes = style.canvas(style.WIDE, 1.75, ncols=len(others), squeeze=False)
    unit, scale = wording.gflops_unit(float(found.final["gflops"].max()))
    for panel, (title, rows, floor) in zip(axes[0], others, strict=True):
        for i, row in enumerate(_records(rows)):
            look = {**style.look(row, i), "linestyle": "none"}
            panel.plot(row["gflops"] / scale, row["value"], markersize=4.6, **look)
        style.log_axis(panel.xaxis, (rows["gflops"] / scale).to_list(), pad=1.6)
        style.quality_axis(panel, rows["value"].to_list(), floor)
        panel.set_title(title, loc="left")
        panel.set_xlabel(f"model {unit}")
    return figure


@style.styled
def training(found: Findings) -> Figure:
    """Figure 6: quality over training; above by patch size, below by model size."""
    curves = found.curves
    patches = sorted(curves["patch_size"].dropna().unique(), reverse=True)
    sizes = list(dict.fromkeys(curves.sort_values("gflops")["size"].dropna()))
    sizes.sort(key=lambda s: list(style.SIZE_COLOURS).index(s) if s in style.SIZE_COLOURS else 99)
    told = training_rows(curves)
    if not told:
        return _one_panel_of_curves(found, curves)
    chosen = {"patch_size": patches, "size": sizes}
    alone = len(told) == 1 and len(chosen[told[0]]) == 1
    width = style.COLUMN if alone else style.WIDE
    figure = Figure(figsize=(width, 2.3 if len(told) == 1 else 3.2))
    grid = figure.add_gridspec(len(told), len(patches) * len(sizes))
    for row, column in enumerate(told):
        wide = len(patches) * len(sizes) // len(chosen[column])
        for i, value in enumerate(chosen[column]):
            axes = figure.add_subplot(grid[row, i * wide : (i + 1) * wide])
            by_size = column == "patch_size"
            lines = curves[curves[column] == value]
            _curves(axes, lines, "step", "size" if by_size else "patch_size")
            name = f"patch size {int(value)}" if by_size else f"size {value}"
            axes.set_title(name, loc="left")
            style.quality_axis(axes, curves["value"].to_list(), found.floor)
            axes.set_xlim(0, float(curves["step"].max()) * 1.04)
            _count_steps(axes, 4)
            if i:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(found.short)
            if row == len(told) - 1:
                axes.set_xlabel("training steps")
            # The last panel has the best models, hence the most room above its lines.
            if i == len(chosen[column]) - 1:
                axes.legend(ncols=4, columnspacing=0.7, handletextpad=0.4, handlelength=1.5)
    return figure


def training_rows(curves: pd.DataFrame) -> list[str]:
    """What Figure 6 can show: panels by "patch_size" if sizes differ, by "size" if patches do.

    Empty where the zoo's names do not tell the models apart (custom ones, or several designs).
    """
    if curves["size"].isna().any() or curves["patch_size"].isna().any():
        return []
    models = curves.drop_duplicates("label")
    if not _names_tell_apart(curves):
        return []
    by_patch = ["patch_size"] if models["size"].nunique() > 1 else []
    return by_patch + (["size"] if models["patch_size"].nunique() > 1 else [])


def _names_tell_apart(rows: pd.DataFrame) -> bool:
    """Do size and patch size say which model a row is of? Not where designs or recipes vary."""
    models = rows.drop_duplicates("label")
    return not models.duplicated(["size", "patch_size"]).any()


def _one_panel_of_curves(found: Findings, curves: pd.DataFrame) -> Figure:
    figure, axes = style.canvas(style.COLUMN, 2.4)
    _curves(axes, curves, "step", "label")
    style.quality_axis(axes, curves["value"].to_list(), found.floor)
    axes.set(xlabel="training steps", ylabel=found.title)
    _legend(axes)
    return figure


def _curves(axes: Axes, rows: pd.DataFrame, x: str, told_by: str) -> None:
    """One line per model; `told_by` (size, patch_size, block or label) gives legend and colour."""
    by_name = _names_tell_apart(rows)
    for i, (label, line) in enumerate(rows.groupby("label", sort=False)):
        first = _records(line)[0]
        look = style.look(first, i)
        if not by_name:
            look["color"] = style.colour(None, i)
        if told_by == "patch_size":
            look["color"] = style.PATCH_COLOURS.get(int(first["patch_size"]), look["color"])
        elif told_by == "block":
            look.update(color=style.BLOCK_COLOURS.get(first["block"], look["color"]))
        name = {"patch_size": f"/{_int(first['patch_size'])}", "label": str(label)}.get(
            told_by, str(first[told_by])
        )
        line = line.sort_values(x)
        spread = line["std"].to_numpy(float, na_value=np.nan)
        mean = line["value"].to_numpy(float)
        if np.isfinite(spread).any():
            shown = np.nan_to_num(spread)
            axes.fill_between(
                line[x], mean - shown, mean + shown, color=look["color"], alpha=0.18, linewidth=0
            )
        axes.plot(line[x].to_numpy(float), mean, label=name, **look)


@style.styled
def training_compute(found: Findings) -> Figure:
    """Figure 9: training compute against quality, with the frontier."""
    curves = found.curves
    figure, axes = style.canvas(style.COLUMN, 2.3)
    _curves(axes, curves, "train_gflops", "label")
    front = found.frontier
    axes.plot(
        front["train_gflops"].to_numpy(float),
        front["value"].to_numpy(float),
        color="#000000",
        linewidth=4.5,
        alpha=0.10,
        solid_capstyle="round",
        zorder=1,
    )
    style.log_axis(axes.xaxis, curves["train_gflops"].to_list())
    style.quality_axis(axes, curves["value"].to_list(), found.floor)
    _name_floor(axes, found.floor)
    axes.set(xlabel="training compute (Gflops)", ylabel=found.title)
    _keys(axes, curves)
    return figure


@style.styled
def sampling(found: Findings) -> Figure:
    """Figure 10: sampling compute per image against quality, one line per model."""
    sweep = found.sweep
    figure, axes = style.canvas(style.COLUMN, 2.3)
    _curves(axes, sweep, "sampling_gflops", "label")
    style.log_axis(axes.xaxis, sweep["sampling_gflops"].to_list())
    style.quality_axis(axes, sweep["value"].to_list(), found.floor)
    _name_floor(axes, found.floor)
    axes.set(xlabel="sampling compute per image (Gflops)", ylabel=found.title)
    if found.pair is not None:
        p = found.pair
        ends = (
            (p.smaller_gflops, p.smaller_value, p.smaller, p.smaller_steps),
            (p.larger_gflops, p.larger_value, p.larger, p.larger_steps),
        )
        ring = {"marker": "o", "markersize": 8, "markerfacecolor": "none", "linestyle": "none"}
        for x, y, _, _ in ends:
            axes.plot(x, y, color=style.INK, markeredgewidth=0.8, zorder=6, **ring)
    _keys(axes, sweep)
    return figure


@style.styled
def blocks(found: Findings) -> Figure:
    """Figure 5: the four block designs over training."""
    curves = found.curves
    figure, axes = style.canvas(style.COLUMN, 2.5)
    alone = curves["label"].nunique() == curves["block"].nunique()
    _curves(axes, curves, "step", "block" if alone else "label")
    style.quality_axis(axes, curves["value"].to_list(), found.floor)
    _name_floor(axes, found.floor)
    axes.set_xlim(0, float(curves["step"].max()) * 1.04)
    _count_steps(axes, 5)
    axes.set(xlabel="training steps", ylabel=found.title)
    _legend(axes)
    return figure


@style.styled
def guidance(rows: pd.DataFrame, title: str, floor: float | None) -> Figure:
    """Quality against guidance scale, one line per model and number of guided channels.

    `rows`: label, guidance_scale, channels (text), value, std.
    """
    figure, axes = style.canvas(style.COLUMN, 2.5)
    ways = list(dict.fromkeys(rows["channels"]))
    for i, ((label, channels), line) in enumerate(rows.groupby(["label", "channels"], sort=False)):
        line = line.sort_values("guidance_scale")
        way = ways.index(channels)
        axes.errorbar(
            line["guidance_scale"].to_numpy(float),
            line["value"].to_numpy(float),
            yerr=line["std"].to_numpy(float, na_value=np.nan)
            if line["std"].notna().any()
            else None,
            label=f"{label}, {channels}",
            color=style.colour(_records(line)[0]["size"], i),
            linestyle=("-", (0, (4, 2)), (0, (1, 1.5)))[way % 3],
            marker=("o", "s", "^")[way % 3],
            markeredgecolor="white",
            markeredgewidth=0.5,
        )
    style.quality_axis(axes, rows["value"].to_list(), floor)
    _name_floor(axes, floor)
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    axes.set(xlabel="guidance scale", ylabel=title)
    _legend(axes)
    return figure


@style.styled
def bubbles(rows: list[dict[str, Any]]) -> Figure:
    """Figure 2 (right): Gflops counted here against the paper's FID-50K; area is Gflops.

    `rows`: name, gflops, fid, transformer (bool).
    """
    figure, axes = style.canvas(style.COLUMN, 2.6)
    largest = max(r["gflops"] for r in rows)
    for r in rows:
        axes.scatter(
            r["gflops"],
            r["fid"],
            s=520 * r["gflops"] / largest,
            color=style.SIZE_COLOURS["XL"] if r["transformer"] else style.SIZE_COLOURS["S"],
            alpha=0.78,
            linewidth=0.5,
            edgecolor="white",
        )
        # Beside its disc: above the largest, whose neighbours stand lower, below the others.
        sign = 1 if r["gflops"] == largest else -1
        radius = (520 * r["gflops"] / largest / np.pi) ** 0.5
        axes.annotate(
            r["name"],
            (r["gflops"], r["fid"]),
            (0, sign * (radius + 2)),
            textcoords="offset points",
            ha="center",
            va="bottom" if sign > 0 else "top",
            fontsize=6.8,
        )
    style.log_axis(axes.xaxis, [r["gflops"] for r in rows], pad=2.2)
    axes.set_ylim(0, max(r["fid"] for r in rows) * 1.2)
    axes.set(xlabel="Gflops, counted here", ylabel="the paper's FID-50K")
    return figure


def _legend(axes: Axes) -> None:
    """Beside the lines while it is short, else above them; none where it would cover the page."""
    if len(axes.get_lines()) <= 5:
        axes.legend()
    elif len(axes.get_lines()) <= MOST_NAMES:
        handles, _ = axes.get_legend_handles_labels()
        axes.figure.legend(handles=handles, loc="outside upper center", ncols=2, columnspacing=1.0)


def _keys(axes: Axes, rows: pd.DataFrame) -> None:
    """Two small legends: colour for size, marker for patch size; labels if there are neither."""
    sizes = [s for s in style.SIZE_COLOURS if s in set(rows["size"].dropna())]
    patches = [p for p in style.PATCH_MARKERS if p in set(rows["patch_size"].dropna())]
    if not sizes or rows["size"].isna().any() or not _names_tell_apart(rows):
        _legend(axes)
        return
    handles = [Line2D([], [], color=style.SIZE_COLOURS[s], label=s, linewidth=2.2) for s in sizes]
    for p in patches:
        handles.append(
            Line2D(
                [],
                [],
                color=style.QUIET,
                marker=style.PATCH_MARKERS[p],
                linestyle=style.PATCH_DASHES[p],
                markersize=4,
                linewidth=0.9,
                label=f"/{p}",
            )
        )
    figure = axes.figure
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=len(handles),
        columnspacing=1.0,
        handletextpad=0.4,
        handlelength=1.6,
    )


def _name_floor(axes: Axes, floor: float | None) -> None:
    if floor is None or not axes.get_ylim()[0] <= floor <= axes.get_ylim()[1]:
        return
    axes.annotate(
        f"real images {wording.number(floor)}",
        (1.0, floor),
        (0, 1.5),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=6.6,
        color=style.QUIET,
    )


def _count_steps(axes: Axes, n: int) -> None:
    """At most `n` ticks of training steps, thousands as K from 10,000 on."""
    axes.xaxis.set_major_locator(MaxNLocator(n, integer=True, steps=[1, 2, 2.5, 5, 10]))
    thousands = axes.get_xlim()[1] >= 10_000
    axes.xaxis.set_major_formatter(
        lambda v, _: f"{v / 1000:g}K" if thousands and v else f"{v:,.0f}"
    )


def _int(value: Any) -> str:
    return str(int(value)) if value is not None and np.isfinite(value) else "–"


def _short(row: dict[str, Any]) -> str:
    """ "XL/2" where size and patch size say it all, else the label."""
    size, patch = row.get("size"), row.get("patch_size")
    if isinstance(size, str) and patch is not None and row.get("block") == "adaln-zero":
        extra = str(row["label"]).partition(" ")[2]
        return f"{size}/{int(patch)} {extra}".strip()
    return str(row["label"])


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
