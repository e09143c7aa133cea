"""Quality against guidance scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from harness import paper
from harness.analysis import selection
from harness.analysis.averaging import averaged, errors
from harness.analysis.protocol import Protocol
from harness.components.section import Section
from harness.report import figures, wording
from harness.report.blocks import Block, Text, em, paragraph, ref, strong
from harness.report.draw import drawn
from harness.report.findings import Findings
from harness.report.phrases import floor_clause, interval_clause, top
from harness.report.prepared import prepared
from harness.report.wording import within

GUIDANCE = ("guidance_scale", "guidance_channels", "guidance_low", "guidance_high")
NOTHING = "No model was measured at more than one guidance scale."


class Guidance(Section):
    """Quality against guidance scale, three or all noise channels guided.

    Values that differ in guidance alone: of several trainings and ways to sample, the one that was
    measured with guidance most often.
    """

    name = "guidance"
    title = "Guidance"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        chosen = guided(found)
        if chosen is None:
            return [paragraph(em(NOTHING))]
        every, step, way = chosen
        row, tied = top(every.assign(label=_points(every)), found.higher)
        value = within(row["value"], row.get("low"), row.get("high"))
        spans: list[Text] = [ref("fig-guidance"), " varies the scale of classifier-free guidance. "]
        word = "highest" if found.higher else "lowest"
        spans.append(f"The {word} {found.short}, {value}, is that of {row['label']}")
        if not np.isfinite(errors(every)[0]).all():
            spans.append("; without standard errors no scale is called best. ")
        elif tied:
            spans.append(f"; {len(tied)} of the {len(every) - 1} others cannot be told from it. ")
        else:
            spans.append(", better than every other. ")
        spans.append(
            f"The paper's best with XL/2 are {paper.claim('cfg-3ch-1.5')} at scale 1.5 (three "
            f"channels) and {paper.claim('cfg-4ch-1.375'):.2f} at 1.375 (four), in the paper's "
            "FID-50K."
        )
        caption: list[Text] = [
            strong("Guidance scale. "),
            f"{found.heading} {wording.at(step)} ({way.sentence()}); scale 1 is no guidance. ",
            *floor_clause(found, way),
            interval_clause(every),
        ]
        drawing = figures.guidance(every, found.title, found.line(way))
        return [paragraph(*spans), drawn("guidance", drawing, caption)]


def guided(found: Findings) -> tuple[pd.DataFrame, Any, Any] | None:
    """(rows with `channels`, step, protocol) of the widest sweep over scales; None without one."""
    rows = selection.measured(found.report.frames["metrics"], found.metric or "")
    steps_and_ways = [(step, way) for _, step, way in selection.drawn_by(rows, *GUIDANCE)]
    yes = [p.guided for p in rows["protocol"]]
    points: dict[Any, set[Any]] = {}
    for family, protocol, label, one in zip(
        steps_and_ways, rows["protocol"], rows["label"], yes, strict=True
    ):
        if one:
            points.setdefault(family, set()).add((label, protocol.drawn))
    if not points:
        return None
    step, way = max(
        points, key=lambda f: (len(points[f]), f[0] or 0, f[1].samples or 0, repr(f[1]))
    )
    rows = selection.where(rows, [f == (step, way) for f in steps_and_ways])
    if rows["guidance_scale"].nunique() < 2:
        return None
    ways = [_channels(p) for p in rows["protocol"]]
    parts = []
    for words in dict.fromkeys(_channels(p) for p in rows["protocol"] if p.guided):
        unguided = rows["guidance_scale"] == 1  # scale 1 guides nothing: part of every line
        mine = pd.Series([w == words for w in ways], index=rows.index)
        parts.append(rows[mine | unguided].assign(channels=words))
    every = averaged(pd.concat(parts), ("channels", "guidance_scale"))
    return prepared(every, higher=found.higher), step, way


def _points(rows: pd.DataFrame) -> list[str]:
    return [
        f"{r['label']} at scale {r['guidance_scale']:g}"
        + (f", {r['channels']} guided" if r["guidance_scale"] != 1 else ", that is, unguided")
        for r in rows.to_dict("records")
    ]


def _channels(p: Protocol) -> str:
    """How guidance was done, without its scale."""
    words = "all channels" if p.guidance_channels is None else f"{p.guidance_channels} channels"
    if p.guidance_low is not None:
        words += f", timesteps {p.guidance_low:g} to {p.guidance_high:g}"
    return words
