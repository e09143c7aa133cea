"""The best size per budget of training compute: one surface over all checkpoints (IsoFLOP)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from harness.analysis import isoflop
from harness.components.section import Section
from harness.errors import BadInput
from harness.report import figures
from harness.report.blocks import Block, Cell, Note, Text, em, paragraph, ref, strong, table
from harness.report.draw import drawn
from harness.report.findings import Findings
from harness.report.phrases import ON_THE_WAY, missing, trained
from harness.report.wording import gflops_unit, number, within

BUDGETS = 5
FAR = math.log(1.25)  # a surface that misses the values by more is not their law


class IsoFlop(Section):
    """The surface of quality over model size and training images, and the best size it gives."""

    name = "isoflop"
    title = "The best size per budget"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        if not trained(found.compared):
            return [missing("Quality was not measured at more than one training step", found)]
        if found.on_the_way:
            return [paragraph(em(f"No surface is fitted. {ON_THE_WAY}."))]
        rows = points(found.compared)
        if found.higher or rows["group"].nunique() > 1:
            return [paragraph(em("The trainings differ in more than size and length: no surface is "
                                 "fitted."))]  # fmt: skip
        try:
            surface = isoflop.surface(
                rows["gflops"], rows["images"], rows["value"], rows["se"].astype(float)
            )
        except BadInput as error:
            return [paragraph(em(f"No surface is fitted: {error}."))]
        off = misfit(surface, rows)
        if off > FAR:
            return [unlawful(off)]
        budgets = budgets_of(rows)
        if not all(math.isfinite(surface.optimum(b).value) for b in budgets):
            return [paragraph(em("The values do not bound the best size of a budget."))]
        return [
            paragraph(ref("fig-isoflop"), " has the measured qualities by model size, joined at "
                      "equal training compute as the surface gives them; ", ref("tab-isoflop"),
                      " the best size of each budget. ", *sentences(surface, rows, budgets)),
            drawn("isoflop", figures.isoflop(rows, surface, budgets, found.title), [
                strong("Quality by size at equal training compute. "),
                f"{found.heading}. Marks: measured checkpoints. Lines: the fitted surface "
                "E + A F⁻ᵅ + B D⁻ᵝ of Gflops F and training images D at the budgets written on "
                "them; a cross is the best size, open where it lies beyond the sizes measured. ",
            ]),
            _table(surface, rows, budgets),
        ]  # fmt: skip


def points(curves: pd.DataFrame) -> pd.DataFrame:
    """The checkpoints that learned, with `images`: batch size times steps."""
    rows = curves[[v is not False for v in curves["learned"]]].copy()
    compute = rows["train_gflops"].astype(float)
    rows["images"] = compute / (isoflop.FACTOR * rows["gflops"].astype(float))
    return rows


def unlawful(off: float) -> Block:
    """What is said of a surface that misses the values by `off`, in logarithms."""
    factor = number(math.exp(off), 2)
    return Note(
        "No best size is claimed.",
        [
            f"The surface misses the measured values by a factor of {factor} (root mean square of "
            "logarithms): quality follows no power law of size and images here, perhaps because "
            "some checkpoints have hardly begun to learn."
        ],
    )


def misfit(surface: isoflop.Surface, rows: pd.DataFrame) -> float:
    """Root mean square of log(measured / fitted)."""
    fitted = surface.at(rows["gflops"].astype(float), rows["images"].astype(float))
    return float(np.sqrt(np.mean(np.log(rows["value"].to_numpy(float) / fitted) ** 2)))


def budgets_of(rows: pd.DataFrame) -> list[float]:
    """Budgets in Gflops, even in the logarithm, where at least three sizes were measured."""
    by_size = rows.groupby("gflops")["train_gflops"]
    low = float(by_size.min().astype(float).nsmallest(3).iloc[-1])
    high = float(by_size.max().astype(float).nlargest(3).iloc[-1])
    if not low < high:
        low, high = (float(v) for v in (rows["train_gflops"].min(), rows["train_gflops"].max()))
    return [float(v) for v in np.geomspace(low, high, BUDGETS)]


def inside(rows: pd.DataFrame, gflops: float) -> bool:
    """Is a size among those measured?"""
    return bool(rows["gflops"].min() <= gflops <= rows["gflops"].max())


def sentences(surface: isoflop.Surface, rows: pd.DataFrame, budgets: list[float]) -> list[Text]:
    """The law of the best size, and whether the sizes measured hold it."""
    e = surface.exponent
    out: list[Text] = [
        "The best model's Gflops grow as the budget to the power ",
        strong(within(e.value, e.low, e.high)),
        " (95% interval of the fit; other trainings would move it further). ",
    ]
    held = sum(inside(rows, surface.optimum(b).value) for b in budgets)
    if held < len(budgets):
        out.append(
            f"At {len(budgets) - held} of {len(budgets)} budgets the best size lies beyond those "
            "measured, and is extrapolated. "
        )
    return out


def _table(surface: isoflop.Surface, rows: pd.DataFrame, budgets: list[float]) -> Block:
    body: list[list[str | Cell]] = []
    unit, scale = gflops_unit(float(rows["gflops"].max()))
    for budget in budgets:
        best = surface.optimum(budget)
        images = budget / (isoflop.FACTOR * best.value)
        measured = "" if inside(rows, best.value) else "beyond the sizes measured"
        size = within(*(v / scale for v in best))
        body.append([
            number(budget), size, number(images),
            number(float(surface.at(best.value, images))), measured,
        ])  # fmt: skip
    caption: list[Text] = [
        strong("The best size per budget. "),
        f"Of the surface fitted to {surface.points} checkpoints; brackets: 95% intervals.",
    ]
    head: list[str | Cell] = ["Budget (Gflops)", f"best {unit}", "images", "quality", ""]
    return table("isoflop", "rrrrl", [head], body, caption)
