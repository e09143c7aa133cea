"""Quality against guidance scale, three or all noise channels guided."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness import paper
from harness.analysis import selection
from harness.report import figures, wording
from harness.report.blocks import Block, Text, em, figure, paragraph, ref, strong
from harness.report.findings import Findings
from harness.report.sections.base import Section
from harness.report.wording import number

GUIDANCE = ("guidance_scale", "guidance_channels", "guidance_low", "guidance_high")


class Guidance(Section):
    """Quality against guidance scale, three or all noise channels guided.

    Values that differ in guidance alone: of several trainings and ways to sample, the one that was
    measured with guidance most often."""

    name = "guidance"
    title = "Guidance"

    def blocks(self, found: Findings) -> list[Block]:
        nothing = "No model was measured at more than one guidance scale."
        rows = selection.measured(found.report.frames["metrics"], found.metric or "")
        steps_and_ways = [(step, way) for _, step, way in selection.drawn_by(rows, *GUIDANCE)]
        guided = [p.guided for p in rows["protocol"]]
        points: dict[Any, set[Any]] = {}
        for family, protocol, label, yes in zip(
            steps_and_ways, rows["protocol"], rows["label"], guided, strict=True
        ):
            if yes:
                points.setdefault(family, set()).add((label, protocol.drawn))
        if not points:
            return [paragraph(em(nothing))]
        step, way = max(
            points, key=lambda f: (len(points[f]), f[0] or 0, f[1].samples or 0, repr(f[1]))
        )
        rows = selection.where(rows, [f == (step, way) for f in steps_and_ways])
        if rows["guidance_scale"].nunique() < 2:
            return [paragraph(em(nothing))]
        ways = [_channels(p) for p in rows["protocol"]]
        parts = []
        for words in dict.fromkeys(_channels(p) for p in rows["protocol"] if p.guided):
            unguided = rows["guidance_scale"] == 1  # scale 1 guides nothing: part of every line
            mine = pd.Series([w == words for w in ways], index=rows.index)
            parts.append(rows[mine | unguided].assign(channels=words))
        every = selection.averaged(pd.concat(parts), ("channels", "guidance_scale"))
        best = every.sort_values("value", ascending=not found.higher, kind="stable").iloc[0]
        how = f"{best['channels']} guided" if best["guidance_scale"] != 1 else "that is, unguided"
        text: list[Text] = [
            ref("fig-guidance"),
            f" varies the scale of classifier-free guidance. The best value, {number(best['value'])}, "
            f"is {best['label']}'s at scale {best['guidance_scale']:g}, {how}. ",
            "The paper's best with XL/2 are ",
            f"{paper.claim('cfg-3ch-1.5')} at scale 1.5 (three channels) and "
            f"{paper.claim('cfg-4ch-1.375'):.2f} at 1.375 (four), in the paper's FID-50K.",
        ]
        caption: list[Text] = [
            strong("Guidance scale. "),
            f"{found.title} {wording.at(step)} ({way.sentence()}); scale 1 is no guidance.",
        ]
        drawn = figures.svg(figures.guidance(every, found.title, found.floor))
        return [
            paragraph(*text),
            figure("guidance", drawn, caption, "Quality against guidance scale"),
        ]


def _channels(p: selection.Protocol) -> str:
    """How guidance was done, without its scale."""
    words = "all channels" if p.guidance_channels is None else f"{p.guidance_channels} channels"
    if p.guidance_low is not None:
        words += f", timesteps {p.guidance_low} to {p.guidance_high}"
    return words
