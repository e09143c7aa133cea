"""A report section: a sentence from the records.

report: {sections: [headline, own-words]}
"""

from typing import ClassVar

from harness.components import Section


class OwnWords(Section):
    """How many values were recorded."""

    name: ClassVar[str] = "own-words"
    title: ClassVar[str] = "In our own words"

    def blocks(self, findings):
        from harness.report.blocks import paragraph

        values = findings.report.frames["metrics"]["value"].notna().sum()
        return [paragraph(f"The records hold {values} values.")]
