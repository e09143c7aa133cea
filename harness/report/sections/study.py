"""The study itself, as an appendix."""

from __future__ import annotations

from harness.components.section import Section
from harness.report.blocks import Block, Code, em, paragraph
from harness.report.findings import Findings


class Study(Section):
    """The text of the study's file, as it was when this report was made."""

    name = "study"
    title = "The study"
    needs = ()

    def blocks(self, findings: Findings) -> list[Block]:
        text = findings.report.text
        return [Code(text)] if text else [paragraph(em("The study's file is not available."))]
