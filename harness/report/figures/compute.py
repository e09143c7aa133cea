"""Quality against compute that was spent: in training (Figure 9) and in sampling (Figure 10)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.analysis.crossings import between
from harness.report import labels, style, wording
from harness.report.figures import marks
from harness.report.figures.marks import Drawing

BETWEEN = 40  # points of a drawn curve


@style.styled
def training_compute(
    curves: pd.DataFrame,
    title: str,
    floor: float | None = None,
    frontier: pd.DataFrame | None = None,
    crossings: pd.DataFrame | None = None,
    budgets: pd.DataFrame | None = None,
) -> Drawing:
    """Figure 9: training compute against quality, the envelope, the best model per budget, and
    where the larger of two models gets ahead.

    `curves`: label, group, size, patch_size, train_gflops, value, low, high; drawn as budgets and
    crossings are read, straight between logarithms. `frontier`: the rows that nothing of their
    group beats with as little compute, with `group`. `crossings`: rows of
    `harness.analysis.crossings` with `group`; those that were seen are drawn. `budgets`: the best
    of each budget: budget, label, value, group.
    """
    parts = marks.groups(curves)[: marks.PANELS]
    figure, axes = marks.grid(len(parts), 2.3 if len(parts) == 1 else 2.1, most=3)
    for panel, (name, part) in zip(axes, parts, strict=True):
        found = marks.looks(part)
        for label, rows in part.groupby("label", sort=False):
            _curve(panel, rows, found[str(label)])
        front = part.iloc[:0] if frontier is None else frontier
        if "group" in front and len(parts) > 1:
            front = front[front["group"] == name]
        front = front.sort_values("train_gflops")
        panel.plot(
            front["train_gflops"].to_numpy(float),
            front["value"].to_numpy(float),
            color="#000000",
            linewidth=4.5,
            alpha=0.10,
            solid_capstyle="round",
            zorder=1,
        )
        style.log_axis(panel.xaxis, curves["train_gflops"].to_list())
        marks.quality_axis(panel, marks.limits(curves), floor)
        labels.floor_line(panel, floor)
        panel.set_title(labels.short(name), loc="left")
        panel.set_xlabel("training compute (Gflops)")
    axes[0].set_ylabel(wording.on_axis(title))
    marks.keys(axes[0], curves)
    for panel, (name, part) in zip(axes, parts, strict=True):
        if budgets is not None and len(budgets):
            _best(panel, part, budgets[budgets["group"] == name])
        if crossings is not None and len(crossings):
            _cross(panel, part, crossings[crossings["group"] == name])
    alt = f"{title} against training compute."
    for name, _ in parts:
        alt += _alt(name, *(_of_group(f, name) for f in (frontier, budgets, crossings)))
    if left := marks.groups(curves)[marks.PANELS :]:
        alt += f" {wording.count(len(left), 'more setting is', 'more settings are')} not drawn."
    on = set() if frontier is None else set(zip(frontier["label"], frontier["step"], strict=True))
    data = _columns(curves, "step", "train_gflops").assign(
        best_at_its_compute=[p in on for p in zip(curves["label"], curves["step"], strict=True)]
    )
    return Drawing(figure, data, alt)


def _of_group(frame: pd.DataFrame | None, name: str) -> pd.DataFrame | None:
    """A frame's rows of one setting; all where the figure has one panel, whose name is empty."""
    return (
        frame
        if frame is None or not name or "group" not in frame
        else frame[frame["group"] == name]
    )


def _alt(
    name: str,
    frontier: pd.DataFrame | None,
    budgets: pd.DataFrame | None,
    crossings: pd.DataFrame | None,
) -> str:
    """What a panel shows in words: settings are not compared with one another."""
    said = []
    if frontier is not None and len(frontier):
        ordered = dict.fromkeys(frontier.sort_values("train_gflops")["label"])
        said.append(f"best model as the budget grows: {', '.join(ordered)}")
    if budgets is not None and len(budgets):
        best = [
            f"{r['label']} at {wording.number(r['budget'])} Gflops" for r in marks.records(budgets)
        ]
        said.append(f"best at each budget: {', '.join(best)}")
    if crossings is not None:
        said += [
            f"{r['larger']} is ahead of {r['smaller']} from {wording.number(r['compute'])} Gflops"
            for r in marks.records(crossings[crossings["compute"].notna()])
        ]
    if not said:
        return ""
    if name:
        return f" {name}: {'; '.join(said)}."
    return "".join(f" {one[:1].upper()}{one[1:]}." for one in said)


def _curve(axes: Axes, rows: pd.DataFrame, look: dict[str, Any]) -> None:
    """One model's checkpoints, joined as `between` reads them, with the band of their intervals."""
    rows = rows.sort_values("train_gflops").drop_duplicates("train_gflops")
    x = rows["train_gflops"].to_numpy(float)
    at = np.union1d(np.geomspace(x[0], x[-1], BETWEEN), x)
    values = {
        c: rows[c].to_numpy(float, na_value=np.nan) for c in ("value", "low", "high") if c in rows
    }
    if {"low", "high"} <= set(values):
        known = np.isfinite(values["low"]) & np.isfinite(values["high"])
        if known.any():
            low, high = (
                between(x, np.where(known, values[c], values["value"]), at) for c in ("low", "high")
            )
            axes.fill_between(at, low, high, color=look["color"], alpha=0.16, linewidth=0)
    marked = [int(i) for i in np.searchsorted(at, x)]
    made = axes.plot(at, between(x, values["value"], at), markevery=marked, **look)[0]
    style.say(made, [marks.told(row, "train_gflops", "Gflops") for row in marks.records(rows)])


def _best(axes: Axes, curves: pd.DataFrame, best: pd.DataFrame) -> None:
    """The best model per training budget: a diamond on its curve, named where another takes over.

    Its tie with others stands in the table.
    """
    facts = {str(r["label"]): r for r in marks.records(curves.drop_duplicates("label"))}
    rows = marks.records(best.sort_values("budget"))
    spots = [(float(r["budget"]), float(r["value"])) for r in rows]
    axes.plot(
        [x for x, _ in spots], [y for _, y in spots], color=style.INK, marker="D", markersize=3.6,
        markerfacecolor="white", markeredgewidth=0.8, linestyle="none", zorder=5,
    )  # fmt: skip
    named = [
        (*spot, marks.short_label(facts.get(str(r["label"]), r)))
        for spot, r, before in zip(spots, rows, [None, *rows], strict=False)
        if before is None or before["label"] != r["label"]
    ]
    labels.label_points(axes, named, ink="#55555f")


def _cross(axes: Axes, curves: pd.DataFrame, found: pd.DataFrame) -> None:
    """A cross where two curves meet, on a bar over its interval; an open end goes to the range's
    end without a cap."""
    for r in marks.records(found[found["compute"].notna()]):
        one = curves[curves["label"] == r["larger"]].sort_values("train_gflops")
        if not len(one):
            continue  # its curve is not drawn in this figure
        at = float(between(one["train_gflops"], one["value"], [r["compute"]])[0])
        ends = (max(r["low"], r["first"]), min(r["high"], r["last"]))
        axes.plot(ends, (at, at), color=style.INK, linewidth=0.7, zorder=5)
        closed = [e for e in (r["low"], r["high"]) if r["first"] < e < r["last"]]
        axes.plot(closed, [at] * len(closed), color=style.INK, marker="|", markersize=4,
                  linestyle="none", zorder=5)  # fmt: skip
        axes.plot(r["compute"], at, color=style.INK, marker="x", markersize=5,
                  linestyle="none", zorder=6)  # fmt: skip


@style.styled
def sampling(
    sweep: pd.DataFrame, title: str, floor: float | None = None, pair: Any = None
) -> Drawing:
    """Figure 10: sampling compute per image against quality, one line per model.

    `sweep`: label, group, size, patch_size, sampling_steps, sampling_gflops, value, low, high.
    `pair`: a `HeadlinePair`, ringed.
    """
    parts = marks.groups(sweep)[: marks.PANELS]
    figure, axes = marks.grid(len(parts), 2.3 if len(parts) == 1 else 2.1, most=3)
    for panel, (name, part) in zip(axes, parts, strict=True):
        found = marks.looks(part)
        for label, rows in part.groupby("label", sort=False):
            marks.line(panel, rows, "sampling_gflops", "Gflops per image", found[str(label)])
        style.log_axis(panel.xaxis, sweep["sampling_gflops"].to_list())
        marks.quality_axis(panel, marks.limits(sweep), floor)
        labels.floor_line(panel, floor)
        panel.set_title(labels.short(name), loc="left")
        panel.set_xlabel("sampling compute per image (Gflops)")
    axes[0].set_ylabel(wording.on_axis(title))
    if pair is not None:
        ring: dict[str, Any] = {"marker": "o", "markersize": 8, "markerfacecolor": "none"}
        for x, y in (
            (pair.smaller_gflops, pair.smaller_value),
            (pair.larger_gflops, pair.larger_value),
        ):
            axes[0].plot(
                x, y, color=style.INK, linestyle="none", markeredgewidth=0.8, zorder=6, **ring
            )
    marks.keys(axes[0], sweep)
    counts = sorted(int(n) for n in sweep["sampling_steps"].unique())
    alt = f"{title} against sampling compute, {counts[0]} to {counts[-1]} steps, of "
    alt += ", ".join(dict.fromkeys(sweep["label"]))
    return Drawing(figure, _columns(sweep, "sampling_steps", "sampling_gflops"), alt)


def _columns(rows: pd.DataFrame, *more: str) -> pd.DataFrame:
    names = ["label", "group", "size", "patch_size", *more, "value", "low", "high"]
    return rows[[n for n in names if n in rows]].reset_index(drop=True)
