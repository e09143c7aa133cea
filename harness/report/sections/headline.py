"""What is missing, then the abstract."""

from __future__ import annotations

from harness.components.section import Section
from harness.report.blocks import Abstract, Block, Note, Text
from harness.report.findings import Findings
from harness.report.sections.abstract import sentences
from harness.report.wording import small_ints


class Headline(Section):
    """What is not done, and the abstract: the report's first lines."""

    name = "headline"
    title = ""

    def blocks(self, findings: Findings) -> list[Block]:
        lacking = list(findings.report.missing)
        abstract = Abstract(sentences(findings))
        if not lacking:
            return [abstract]
        shown, rest = lacking[:8], len(lacking) - 8
        one = len(lacking) == 1
        spans: list[Text] = [
            f"{small_ints(len(lacking)).capitalize()} {'part' if one else 'parts'} of this study "
            f"{'is' if one else 'are'} not done, and nothing below stands in for "
            f"{'it' if one else 'them'}: ",
            "; ".join(shown),
            f"; and {rest:,} more." if rest > 0 else ".",
        ]
        return [Note("Unfinished.", spans), abstract]
