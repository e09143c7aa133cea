"""Quality against guidance scale."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.report import labels, style, wording
from harness.report.figures import marks
from harness.report.figures.marks import Drawing


@style.styled
def guidance(rows: pd.DataFrame, title: str, floor: float | None = None) -> Drawing:
    """One line per model and number of guided channels.

    `rows`: label, size, guidance_scale, channels (text), value, low, high.
    """
    figure, axes = style.canvas(style.COLUMN, 2.3)
    ways = list(dict.fromkeys(rows["channels"]))
    names = list(dict.fromkeys(rows["label"]))
    said = dict(zip(names, labels.without_the_model(names), strict=True))
    handles, texts = [], []
    for (label, channels), part in rows.groupby(["label", "channels"], sort=False):
        part = part.sort_values("guidance_scale")
        way, which = ways.index(channels), names.index(label)
        colour = style.colour(marks.records(part)[0]["size"], which)
        if len(names) > 1 and part["size"].isna().all():
            colour = style.OTHER_COLOURS[which % len(style.OTHER_COLOURS)]
        at, value = (part[c].to_numpy(float) for c in ("guidance_scale", "value"))
        if {"low", "high"} <= set(part):
            ends = np.array([value - part["low"].astype(float), part["high"].astype(float) - value])
            known = np.isfinite(ends).all(axis=0)
            if known.any():
                axes.errorbar(
                    at[known],
                    value[known],
                    yerr=np.clip(ends[:, known], 0, None),
                    color=colour,
                    linestyle="none",
                    linewidth=0.8,
                    capsize=1.5,
                )
        (line,) = axes.plot(
            at,
            value,
            color=colour,
            linestyle=style.OTHER_DASHES[way % 4],
            marker="os^D"[way % 4],
            markeredgecolor="white",
            markeredgewidth=0.5,
        )
        style.say(line, [marks.told(r, "guidance_scale", "scale") for r in marks.records(part)])
        handles.append(line)
        texts.append(f"{said[label]}, {channels}" if len(names) > 1 else str(channels))
    marks.quality_axis(axes, marks.limits(rows), floor)
    labels.floor_line(axes, floor)
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    axes.set(xlabel="guidance scale", ylabel=wording.on_axis(title))
    labels.legend(axes, handles, texts)
    columns = ["label", "channels", "guidance_scale", "value", "low", "high"]
    data = rows[[c for c in columns if c in rows]].reset_index(drop=True)
    return Drawing(figure, data, f"{title} against guidance scale for {', '.join(texts)}")
