"""Samples and real images at one number, where fewer real images are held out than samples drawn.

A distance depends on the number of images, so the values of all samples do not compare with a floor
of fewer. The first samples, as many as the floor has, were measured apart (harness.stages.subset).
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from harness.analysis import metrics, selection
from harness.report.blocks import Block, Cell, Text, strong, table
from harness.report.findings import Findings, Floor, floor_of
from harness.report.prepared import prepared
from harness.report.tables import ARROW, half, head, value_of
from harness.report.wording import DASH, number


def measured(found: Findings, names: list[str]) -> dict[str, tuple[Floor, pd.DataFrame]]:
    """By metric its floor, of fewer images than the samples, and the models' values at that number.

    The frames are averaged over seeds as those of all samples are. Empty where the floor is of as
    many images as the samples, or where no subset was measured.
    """
    rows = found.report.frames["metrics"]
    own = rows[rows["of"] == "subset"]
    if found.protocol is None or found.references > 1 or not len(own):
        return {}
    out = {}
    for metric in names:
        floor = floor_of(rows, metric, found.protocol.drawn)
        if floor is None or floor.enough or floor.images is None:
            continue
        protocol = replace(found.protocol, samples=floor.images)
        values = selection.of_the_same_samples(
            own.assign(of="samples"), metric, protocol, found.step
        )
        if len(values):
            out[metric] = floor, prepared(values, higher=metrics.higher_is_better(metric))
    return out


def blocks(found: Findings, labels: list[str], names: list[str]) -> list[Block]:
    """One table: the real images, then the models in the order of `labels`. [] where there is none.

    names: the metrics, in the order of their columns.
    """
    values = measured(found, names)
    if not values:
        return []
    counts = sorted({floor.images for floor, _ in values.values() if floor.images is not None})
    columns: list[str | Cell] = ["Images"]
    columns += [f"{head(found, m)} {ARROW[metrics.higher_is_better(m)]}" for m in values]
    real: list[str | Cell] = ["real images", *(number(floor.value) for floor, _ in values.values())]
    body = [real]
    for label in labels:
        line: list[str | Cell] = [label]
        line += [value_of(frame, label) for _, frame in values.values()]
        if any(text != DASH for text in line[1:]):
            body.append(line)
    of = " or ".join(f"{n:,}" for n in counts)
    assert found.protocol is not None and found.protocol.samples is not None
    caption: list[Text] = [
        strong("At the floor's number. "),
        f"Real images that were held out, and the first {of} of each model's "
        f"{found.protocol.samples:,} samples: a value depends on the number of images, so these "
        "compare with one another and not with the values of all samples. ",
        half(body),
    ]
    align = "l" + "r" * len(values)
    return [table("at-floor", align, [columns], body, caption, rules=(1,))]
