"""Quality against model compute (Figure 8) and the other metrics (Figure 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.report import labels, style, wording
from harness.report.figures import marks
from harness.report.figures.marks import OTHER, Drawing


@dataclass(frozen=True)
class _View:
    """One panel: which rows, against what, with which law."""

    title: str
    x: str
    x_title: str
    rows: pd.DataFrame
    law: Any = None

    @property
    def unit(self) -> str:
        return "M parameters" if self.x == "params" else self.x_title.split()[1]


@style.styled
def gflops(
    rows: pd.DataFrame,
    title: str,
    floor: float | None = None,
    laws: dict[str, Any] | None = None,
    beside: pd.DataFrame | None = None,
    beside_title: str = "",
    by_patch: bool = True,
    over: pd.DataFrame | None = None,
) -> Drawing:
    """Figure 8: model Gflops (and parameters, and each patch size) against final quality.

    `rows`: label, group, size, patch_size, gflops, params, value, low, high, learned; `OTHER` names
    whose number a row is where it is not this study's. `laws`: by group, with `band(gflops)` (frame
    of compute, value, low, high). `beside`: the same columns, another lab's numbers of another
    metric, in a panel of its own. `over`: `ratios` of these rows, in the last panel.
    """
    unit, scale = wording.gflops_unit(float(rows["gflops"].max()))
    end = f"model {unit} per forward pass"
    parts = marks.groups(rows)[: marks.PANELS]
    views = [_View(name, "gflops", end, part, (laws or {}).get(name)) for name, part in parts]
    if len(parts) == 1 and by_patch and len(rows) >= 6 and marks.names_tell(_ours(rows)):
        if rows["params"].nunique() > 2:
            views.append(_View("parameters", "params", "parameters (M)", rows))
        patches = sorted(rows["patch_size"].dropna().unique(), reverse=True)
        for p in patches if 1 < len(patches) <= 4 else ():
            part = rows[rows["patch_size"] == p]
            if part["gflops"].nunique() > 1:
                views.append(_View(f"patch size {int(p)}", "gflops", end, part))
    over = rows.iloc[:0] if over is None else over
    count = len(views) + (beside is not None) + (len(over) > 0)
    figure, axes = marks.grid(count, 2.2 if count < 4 else 1.6, most=2 if count in (2, 4) else 3)
    for panel, view in zip(axes, views, strict=False):
        _panel(panel, view, scale if view.x == "gflops" else 1e6, rows, floor)
        panel.set_title(labels.short(view.title, 44), loc="left")
        panel.set_ylabel(wording.on_axis(title) if len(views) < 4 else wording.metric_word(title))
    if beside is not None:
        panel = axes[-1]
        view = _View("", "gflops", "model Gflops per forward pass", beside)
        _panel(panel, view, 1.0, beside, None)
        panel.set_title(beside_title, loc="left")
        panel.set_ylabel("FID-50K")
    if len(over):
        _ratio_panel(axes[-1], over, unit, scale, end)
    marks.keys(axes[0], rows)
    data = rows if beside is None else pd.concat([rows, beside], ignore_index=True)
    drawn = _columns(data)
    if len(over):
        by = ["label", OTHER]
        named = {"value": "ratio", "low": "ratio_low", "high": "ratio_high"}
        mine = over.drop(columns=[OTHER]).assign(**{OTHER: None})[[*by, *named]]
        drawn = drawn.merge(mine.rename(columns=named), "left", on=by)
    return Drawing(figure, drawn, _alt(rows, title, unit, scale) + _alt_of_ratios(over))


def ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """Our rows over somebody else's of the same size and patch size: `value`, `low` and `high` are
    ratios, `OTHER` says whose. Their own error does not enter.

    Empty where there are none, or those of several others.
    """
    ours = _ours(rows)
    theirs = rows[~rows.index.isin(ours.index)]
    if not len(theirs) or theirs[OTHER].nunique() > 1 or not marks.names_tell(theirs):
        return rows.iloc[:0]
    by = ["size", "patch_size"]
    both = ours.drop(columns=[OTHER]).merge(
        theirs[[*by, "value", OTHER]], on=by, suffixes=("", "_theirs")
    )
    both = both[both["value_theirs"].astype(float) > 0]
    divided = {
        c: both[c].to_numpy(float, na_value=np.nan) / both["value_theirs"].to_numpy(float)
        for c in ("value", "low", "high")
    }
    return both.assign(**divided)


def _ratio_panel(axes: Axes, over: pd.DataFrame, unit: str, scale: float, end: str) -> None:
    """Ours over somebody else's, model by model; they are equal at the line."""
    whose = str(over[OTHER].iloc[0])
    shown = over.drop(columns=[OTHER])  # filled markers: they are of ours
    marks.points(axes, shown, "gflops", unit, scale)
    at = (over["gflops"].astype(float) / scale).tolist()
    style.log_axis(axes.xaxis, at, pad=1.6)
    held = [1.0, *marks.limits(shown)]
    room = 0.12 * (max(held) - min(held)) or 0.1
    axes.set_ylim(min(held) - room, max(held) + room)
    axes.axhline(1.0, color=style.QUIET, linewidth=0.8, zorder=1)
    axes.set_title(labels.short(f"ours over {whose}'s", 44), loc="left")
    axes.set_xlabel(end)
    axes.set_ylabel("ratio")
    spots = zip(at, over["value"], map(marks.short_label, marks.records(over)), strict=True)
    labels.label_points(axes, sorted(spots, key=lambda spot: -spot[0]))


def _alt_of_ratios(over: pd.DataFrame) -> str:
    if not len(over):
        return ""
    said = [f"{r['label']} {wording.number(r['value'])}" for r in marks.records(over)]
    more = f", and {len(said) - 12} more" if len(said) > 12 else ""
    return f". Ours over {over[OTHER].iloc[0]}'s: {', '.join(said[:12])}{more}"


def _ours(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[[not isinstance(w, str) for w in rows[OTHER]]] if OTHER in rows else rows


def _panel(axes: Axes, view: _View, scale: float, every: pd.DataFrame, floor: float | None) -> None:
    x, law = view.x, view.law
    rows, every = (r[r[x].notna()] for r in (view.rows, every))  # a CSV may have no parameters
    marks.points(axes, rows, x, view.unit, scale)
    at = (rows[x].astype(float) / scale).tolist()
    style.log_axis(axes.xaxis, (every[x].astype(float) / scale).tolist(), pad=1.6)
    marks.quality_axis(axes, marks.limits(every), floor)
    if law is not None:
        grid = np.geomspace(min(at), max(at), 60)
        band = law.band(grid * scale)
        limits = axes.get_ylim()
        low, high = (np.clip(band[c].to_numpy(float), *limits) for c in ("low", "high"))
        axes.fill_between(grid, low, high, color=style.QUIET, alpha=0.13, linewidth=0, zorder=0.8)
        axes.plot(grid, band["value"], color=style.QUIET, linewidth=0.9, zorder=1)
        _left_out(axes, law, scale, limits)
        axes.set_ylim(limits)
    axes.set_xlabel(view.x_title)
    labels.floor_line(axes, floor)
    _name_models(axes, rows, at)


def _name_models(axes: Axes, rows: pd.DataFrame, at: Sequence[float]) -> None:
    """Each model's name once, be its values ours and somebody else's."""
    ours: list[tuple[float, float, str]] = []
    theirs: list[tuple[float, float, str]] = []
    for x, row in zip(at, marks.records(rows), strict=True):
        spot = (x, float(row["value"]), marks.short_label(row))
        (theirs if isinstance(row.get(OTHER), str) else ours).append(spot)
    known = {name for _, _, name in ours}
    named = [*ours, *(spot for spot in theirs if spot[2] not in known)]
    named.sort(key=lambda spot: -spot[0])  # where room is short the largest models have it
    labels.label_points(axes, named, beside=[spot for spot in theirs if spot[2] in known])


def _left_out(axes: Axes, law: Any, scale: float, limits: tuple[float, float]) -> None:
    """What the law of all smaller models said of the largest: beside its own marker, in grey."""
    left = getattr(law, "left_out", None)
    if left is None:
        return
    at, inside = left.compute / scale, np.clip([*left.predicted], *limits)
    axes.plot([at, at], inside[1:], color=style.QUIET, linewidth=0.7, linestyle=":", zorder=1.5)
    if limits[0] <= left.predicted.value <= limits[1]:
        (made,) = axes.plot(
            at, left.predicted.value, color=style.QUIET, marker="D", markersize=4.2,
            markerfacecolor="none", markeredgewidth=0.8, linestyle="none", zorder=2.5,
        )  # fmt: skip
        said = wording.within(*left.predicted)
        style.say(made, [f"predicted by the law of the others: {said}"])


@style.styled
def metrics(panels: Sequence[tuple[str, pd.DataFrame, float | None]]) -> Drawing:
    """Figure 12: each metric against model compute, and against training compute below.

    `panels`: (title, rows, floor) each; rows as for `gflops` with `train_gflops` and `over` ("end",
    or "training" for the curves of the lower row).
    """
    ends = [(t, r[r["over"] == "end"], f) for t, r, f in panels]
    curves = [(t, r[r["over"] == "training"], f) for t, r, f in panels]
    two = any(len(r) for _, r, _ in curves)
    figure, axes = style.canvas(
        style.WIDE, 3.2 if two else 1.8, nrows=1 + two, ncols=len(panels), squeeze=False
    )
    every = pd.concat([r for _, r, _ in ends], ignore_index=True)
    unit, scale = wording.gflops_unit(float(every["gflops"].max()))
    for panel, (title, rows, floor) in zip(axes[0], ends, strict=True):
        marks.points(panel, rows, "gflops", unit, scale)
        style.log_axis(panel.xaxis, (every["gflops"].to_numpy(float) / scale).tolist(), pad=1.6)
        marks.quality_axis(panel, marks.limits(rows), floor)
        labels.floor_line(panel, floor)
        panel.set_title(title, loc="left")
        panel.set_xlabel(f"model {unit}")
    for panel, (_, rows, floor) in zip(axes[1] if two else (), curves, strict=False):
        looks = marks.looks(rows)
        for label, part in rows.groupby("label", sort=False):
            look = {**looks[str(label)], "markersize": 2.6}
            marks.line(panel, part, "train_gflops", "Gflops", look)
        style.log_axis(panel.xaxis, rows["train_gflops"].to_list())
        marks.quality_axis(panel, marks.limits(rows), floor)
        panel.set_xlabel("training Gflops")
    marks.keys(axes[0][0], every)
    data = pd.concat([r.assign(metric=t) for t, r, _ in panels], ignore_index=True)
    alt = f"{', '.join(t for t, _, _ in panels)} of each model against its {unit}. "
    alt += "; ".join(_from_to(title, rows) for title, rows, _ in ends if len(rows))
    return Drawing(figure, _columns(data, "metric", "over", "train_gflops"), alt)


def _from_to(title: str, rows: pd.DataFrame) -> str:
    """One metric of the least and of the largest model."""
    first, last = (marks.records(rows.sort_values("gflops"))[i] for i in (0, -1))
    said = f"{title} {first['value']:.3g} of {first['label']}"
    return said if len(rows) == 1 else f"{said}, {last['value']:.3g} of {last['label']}"


def _columns(rows: pd.DataFrame, *more: str) -> pd.DataFrame:
    """The rows of a figure's CSV."""
    names = [*more, "label", "group", OTHER, "size", "patch_size", "gflops", "params"]
    names += ["value", "low", "high", "learned"]
    return rows[[n for n in names if n in rows]].reset_index(drop=True)


def _alt(rows: pd.DataFrame, title: str, unit: str, scale: float) -> str:
    ordered = _ours(rows).sort_values("gflops")
    said = [
        f"{r['label']} {wording.number(r['gflops'] / scale)}: {wording.number(r['value'])}"
        for r in marks.records(ordered)
    ]
    more = f", and {len(said) - 12} more" if len(said) > 12 else ""
    return f"{title} against model {unit}. {'; '.join(said[:12])}{more}"
