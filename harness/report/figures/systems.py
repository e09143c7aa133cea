"""The paper's systems and this study's models by compute and quality (Figure 2)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from harness.report import labels, style, wording
from harness.report.figures import marks
from harness.report.figures.marks import Drawing


@style.styled
def bubbles(rows: pd.DataFrame, title: str) -> Drawing:
    """Figure 2, left: each model a disc whose area is its Gflops, by size and patch size.

    `rows`: label, size, patch_size, gflops, value. Sizes across, patch sizes as lines, quality up.
    """
    sizes = marks.by_size(rows["size"].dropna().unique())
    figure, axes = style.canvas(style.COLUMN, 2.3)
    largest = float(rows["gflops"].max())
    for row in sorted(marks.records(rows), key=lambda r: -float(r["gflops"])):
        area = max(6.0, 420 * float(row["gflops"]) / largest)
        disc = axes.scatter(
            sizes.index(str(row["size"])),
            row["value"],
            s=area,
            color=style.colour(row["size"]),
            alpha=0.8,
            linewidth=0.5,
            edgecolor="white",
        )
        style.say(disc, [marks.told(row, "gflops", "Gflops")])
    axes.set_xlim(-0.6, len(sizes) - 0.4)
    axes.set_xticks(range(len(sizes)), [f"size {s}" for s in sizes])
    marks.quality_axis(axes, marks.limits(rows[["value"]]), None)
    axes.set_ylabel(wording.on_axis(title))
    radii = [math.sqrt(max(6.0, 420 * float(g) / largest) / math.pi) for g in rows["gflops"]]
    named = [
        (float(sizes.index(str(r["size"]))), float(r["value"]), marks.short_label(r))
        for r in marks.records(rows)
    ]
    labels.label_points(axes, named, radii=[r + 1 for r in radii])
    alt = f"{title} of each model; the area of a disc is its Gflops. " + "; ".join(
        f"{r['label']}: {r['value']:.3g} at {r['gflops']:.3g} Gflops" for r in marks.records(rows)
    )
    columns = ["label", "size", "patch_size", "gflops", "value"]
    return Drawing(figure, rows[columns].reset_index(drop=True), alt)


@style.styled
def systems(
    rows: pd.DataFrame,
    how: str = "counted here",
    title: str = "FID-50K with guidance, as published",
) -> Drawing:
    """Figure 2, right: Gflops against published FID-50K; area is Gflops.

    `rows`: name, gflops, value, transformer (bool), ours (bool: measured here).
    """
    figure, axes = style.canvas(style.COLUMN, 2.3)
    largest = float(rows["gflops"].max())
    for row in marks.records(rows):
        area = max(6.0, 520 * float(row["gflops"]) / largest)
        dark = style.SIZE_COLOURS["XL"] if row["transformer"] else style.SIZE_COLOURS["S"]
        disc = axes.scatter(
            row["gflops"],
            row["value"],
            s=area,
            facecolor=dark if row["ours"] else "none",
            edgecolor=dark,
            alpha=0.85,
            linewidth=1.0,
            hatch=None if row["transformer"] else "////",
        )
        style.say(disc, [f"{row['name']}: {row['value']:g} at {row['gflops']:g} Gflops"])
    style.log_axis(axes.xaxis, rows["gflops"].to_list(), pad=2.4)
    axes.set_ylim(0, float(np.max(rows["value"])) * 1.25)
    axes.set(xlabel=f"Gflops per forward pass, {how}", ylabel=wording.on_axis(title))
    named = [(float(r["gflops"]), float(r["value"]), str(r["name"])) for r in marks.records(rows)]
    radii = [math.sqrt(max(6.0, 520 * float(g) / largest) / math.pi) for g in rows["gflops"]]
    labels.label_points(axes, named, radii=[r + 1 for r in radii])
    alt = "; ".join(
        f"{r['name']} {r['value']:g} at {r['gflops']:.0f} Gflops" for r in marks.records(rows)
    )
    return Drawing(figure, rows.reset_index(drop=True), f"{title} against Gflops: {alt}")
