"""Marks that all figures share: points with intervals, lines with bands, axes, legends by kind.

A model's colour is its size, its marker and dash its patch size. A hollow marker with a cross did
not learn; an open marker is somebody else's number (the paper's).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from harness.report import labels, style, wording

PANELS = 8  # of settings in one figure; captions say how many there are
OTHER = "other"  # column: whose number it is, where it is not this study's


@dataclass(frozen=True)
class Drawing:
    """A drawn figure, the numbers in it, and what it shows in words."""

    figure: Figure
    data: pd.DataFrame
    alt: str

    @property
    def wide(self) -> bool:
        """Does it need the page's whole width?"""
        return bool(self.figure.get_figwidth() > 4)


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as mappings of column to value."""
    return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]


def groups(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The parts of `rows` that may share an axis: one recipe, block, image size, reference each."""
    if "group" not in rows or rows["group"].nunique() < 2:
        return [("", rows)]
    return [(str(name), part) for name, part in rows.groupby("group", sort=False)]


def short_label(row: dict[str, Any]) -> str:
    """ "XL/2" where size and patch size say it all, else the label."""
    size, patch = row.get("size"), row.get("patch_size")
    if isinstance(size, str) and patch is not None and not pd.isna(patch):
        return f"{size}/{int(patch)}"
    return str(row["label"])


def told(row: dict[str, Any], x: str, unit: str, scale: float = 1.0) -> str:
    """The text of a point under the pointer."""
    text = f"{row['label']}: {wording.within(row['value'], row.get('low'), row.get('high'))}"
    return f"{text} at {wording.number(float(row[x]) / scale)} {unit}"


def points(axes: Axes, rows: pd.DataFrame, x: str, unit: str, scale: float = 1.0) -> list[float]:
    """One marker with its interval per row, alike of one label; returns the values and limits
    drawn."""
    drawn: list[float] = []
    used = ("label", "size", "patch_size", "value", "low", "high", "learned", OTHER, x)
    order: dict[Any, int] = {}
    for row in records(rows[[c for c in used if c in rows]]):
        at, value = float(row[x]) / scale, float(row["value"])
        index = order.setdefault(row["label"], len(order))
        look = {**style.look(row, index), "linestyle": "none"}
        low, high = row.get("low"), row.get("high")
        if low is not None and high is not None and np.isfinite([low, high]).all():
            axes.errorbar(
                at,
                value,
                yerr=[[max(0.0, value - low)], [max(0.0, high - value)]],
                color=look["color"],
                linewidth=0.9,
                capsize=1.5,
                capthick=0.7,
                zorder=2,
            )
            drawn += [v for v in (low, high) if math.isfinite(v)]
        if isinstance(row.get(OTHER), str):
            look.update(markerfacecolor="none", markeredgecolor=look["color"], markeredgewidth=0.9)
        elif row.get("learned") is False:
            look.update(markerfacecolor="white", markeredgecolor=look["color"], markeredgewidth=0.9)
            axes.plot(at, value, marker="x", color=look["color"], markersize=3, zorder=4)
        (line,) = axes.plot(at, value, markersize=5.6, zorder=3, **look)
        style.say(line, [told(row, x, unit, scale)])
        drawn.append(value)
    return drawn


def line(axes: Axes, rows: pd.DataFrame, x: str, unit: str, look: dict[str, Any]) -> None:
    """One model's values over `x`, with the band of their intervals."""
    rows = rows.sort_values(x)
    at, value = rows[x].to_numpy(float), rows["value"].to_numpy(float)
    if {"low", "high"} <= set(rows):
        low, high = (rows[c].to_numpy(float, na_value=np.nan) for c in ("low", "high"))
        known = np.isfinite(low) & np.isfinite(high)
        if known.any():
            low, high = np.where(known, low, value), np.where(known, high, value)
            axes.fill_between(at, low, high, color=look["color"], alpha=0.16, linewidth=0)
    made = axes.plot(at, value, **look)[0]
    said = rows[[c for c in ("label", "value", "low", "high", x) if c in rows]]
    style.say(made, [told(row, x, unit) for row in records(said)])


def looks(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Colour, marker and dash of each label: by size and patch, else in turn."""
    models = rows.drop_duplicates("label")[["label", "size", "patch_size"]]
    by_name = names_tell(models)
    found = {}
    for i, row in enumerate(records(models)):
        look = style.look(row, i)
        if not by_name:
            look["color"] = style.OTHER_COLOURS[i % len(style.OTHER_COLOURS)]
            look["linestyle"] = style.OTHER_DASHES[i // len(style.OTHER_COLOURS) % 4]
            look["marker"] = "oD^sv"[i % 5]
        found[str(row["label"])] = look
    return found


def names_tell(models: pd.DataFrame) -> bool:
    """Do size and patch size say which model a row is of?"""
    models = models.drop_duplicates("label")
    if models["size"].isna().any() or models["patch_size"].isna().any():
        return False
    return not models.duplicated(["size", "patch_size"]).any()


def keys(axes: Axes, rows: pd.DataFrame) -> None:
    """One legend: colours for sizes and markers for patch sizes, or a name per line."""
    models = rows.drop_duplicates("label")
    if names_tell_within(rows):
        sizes = by_size(models["size"].unique())
        patches = sorted((int(p) for p in models["patch_size"].unique()), reverse=True)
        handles = [Line2D([], [], color=style.colour(s), linewidth=2.2) for s in sizes]
        names = list(sizes)
        for p in patches:
            handles.append(
                Line2D(
                    [],
                    [],
                    color=style.QUIET,
                    marker=style.PATCH_MARKERS.get(p, "D"),
                    linestyle=style.PATCH_DASHES.get(p, "-"),
                    markersize=4,
                    linewidth=0.9,
                )
            )
            names.append(f"/{p}")
    else:
        found = looks(rows)
        handles = [Line2D([], [], **{**look, "markersize": 4}) for look in found.values()]
        names = list(found)
    handles, names = [*handles], [*names]
    if "learned" in rows and any(v is False for v in rows["learned"]):
        cross = {"marker": "o", "markerfacecolor": "white", "linestyle": "none", "markersize": 5}
        handles.append(Line2D([], [], color=style.QUIET, **cross))  # type: ignore[arg-type]
        names.append("did not learn")
    if OTHER in rows:
        for whose in dict.fromkeys(w for w in rows[OTHER] if isinstance(w, str) and w):
            handles.append(
                Line2D(
                    [],
                    [],
                    color=style.QUIET,
                    marker="o",
                    markerfacecolor="none",
                    linestyle="none",
                    markersize=5,
                )
            )
            names.append(whose)
    labels.legend(axes, handles, names)


def names_tell_within(rows: pd.DataFrame) -> bool:
    """`names_tell` in every group of its own."""
    return all(names_tell(part) for _, part in groups(rows))


def by_size(sizes: Iterable[Any]) -> list[str]:
    """The sizes in the zoo's order; others come last."""
    order = list(style.SIZE_COLOURS)
    known = [str(s) for s in sizes]
    return sorted(known, key=lambda s: (order.index(s) if s in order else len(order), s))


def quality_axis(axes: Axes, values: Sequence[float], floor: float | None) -> None:
    """The vertical axis: linear from zero as in the paper's figures, log over large ranges."""
    values = [v for v in values if math.isfinite(v)]
    if not values:
        return
    positive = [v for v in values if v > 0]
    if min(values) > 0 and max(values) / min(values) > 15:
        style.log_axis(axes.yaxis, positive)
        return
    top = max(*values, floor or 0.0)
    bottom = min(0.0, min(values) * 1.1)
    if top == bottom:  # nothing but zeros: shares, of which there are none
        top = 1.0
    axes.set_ylim(bottom, top + 0.08 * (top - bottom))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def step_axis(axes: Axes, last: float, most: int = 4) -> None:
    """Training steps from 0, thousands as K from 10,000 on."""
    axes.set_xlim(0, last * 1.04)
    axes.xaxis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 2.5, 5, 10]))
    thousands = last >= 10_000
    axes.xaxis.set_major_formatter(
        lambda v, _: f"{v / 1000:g}K" if thousands and v else f"{v:,.0f}"
    )


def limits(rows: pd.DataFrame) -> list[float]:
    """Values and finite ends of their intervals: what an axis must hold."""
    columns = [c for c in ("value", "low", "high") if c in rows]
    found = rows[columns].to_numpy(float, na_value=np.nan).ravel()
    return [float(v) for v in found if np.isfinite(v)]


def grid(count: int, height: float, most: int = 4, **named: Any) -> tuple[style.Canvas, list[Axes]]:
    """`count` panels of `height` inches in rows of at most `most`; one is a column wide."""
    across = min(count, most)
    down = -(-count // across)
    width = style.COLUMN if count == 1 else style.WIDE
    figure, axes = style.canvas(
        width, height * down, nrows=down, ncols=across, squeeze=False, **named
    )
    flat = [a for row in axes for a in row]
    for extra in flat[count:]:
        extra.remove()
    return figure, flat[:count]
