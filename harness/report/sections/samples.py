"""Samples of every model (Figure 7)."""

from __future__ import annotations

from harness.components.section import Section
from harness.report.blocks import Block, paragraph, ref
from harness.report.findings import Findings
from harness.report.mosaic import mosaic
from harness.report.phrases import missing


class Samples(Section):
    """Figure 7: what every model draws from the same noise and labels."""

    name = "samples"
    title = "Samples"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        if not found.report.samples:
            return [missing("No samples are kept", found)]
        shown = mosaic(found.report.samples, found.report.samples_how)
        text = " shows what the numbers measure: image by image, only the model differs."
        return [paragraph(ref(shown.label), text), shown]
