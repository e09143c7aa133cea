"""Sampling compute and quality (Figure 10)."""

from __future__ import annotations

from harness.components.section import Section
from harness.report import figures
from harness.report.blocks import Block, Text, paragraph, ref, strong
from harness.report.draw import drawn
from harness.report.findings import Findings
from harness.report.phrases import (
    floor_clause,
    interval_clause,
    missing,
    sampling_sentence,
    settings_clause,
)
from harness.report.wording import listed


class SamplingCompute(Section):
    """Figure 10: does more sampling compute make up for a smaller model?"""

    name = "sampling-compute"
    title = "Sampling compute and quality"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        if not len(found.sweep):
            return [missing("No model was sampled at more than one number of steps", found)]
        assert found.sweep_protocol is not None
        counts = sorted(int(n) for n in found.sweep["sampling_steps"].unique())
        spans: list[Text] = [
            ref("fig-sampling-compute"),
            f" samples with {listed(map(str, counts))} steps. ",
            *sampling_sentence(found),
        ]
        caption: list[Text] = [
            strong("Sampling compute against quality. "),
            f"{found.heading}, {found.sweep_protocol.sentence()}. ",
            settings_clause(found.sweep),
            *floor_clause(found, found.sweep_protocol),
            interval_clause(found.sweep),
            "" if found.pair is None else "Rings: the pair of the text. ",
        ]
        drawing = figures.sampling(
            found.sweep, found.title, found.line(found.sweep_protocol), found.pair
        )
        return [paragraph(*spans), drawn("sampling-compute", drawing, caption)]
