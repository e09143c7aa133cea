"""What the study cost: device time by kind of stage, kept and lost."""

from __future__ import annotations

from harness.components.section import Section
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.wording import duration


class Cost(Section):
    """Device time of each kind of stage: of attempts whose result was kept, and of the others."""

    name = "cost"
    title = "Cost"
    needs = ()

    def blocks(self, findings: Findings) -> list[Block]:
        spent = findings.report.spent
        if not spent:
            return [paragraph(em("No attempt is on record, so what it cost is not known."))]
        rows: list[list[str | Cell]] = [
            [s.kind, f"{s.attempts:,}", duration(s.kept), f"{s.failed:,}", duration(s.lost)]
            for s in spent
        ]
        total = [sum(v) for v in zip(*((s.kept, s.lost) for s in spent), strict=True)]
        rows.append(["all", f"{sum(s.attempts for s in spent):,}", duration(total[0]),
                     f"{sum(s.failed for s in spent):,}", duration(total[1])])  # fmt: skip
        head: list[str | Cell] = [
            "Stages",
            "Attempts",
            "time kept",
            "failed or stopped",
            "time lost",
        ]
        caption: list[Text] = [
            strong("Time spent. "),
            "Wall time of the attempts, each on the devices its stage was given; energy was not "
            "recorded.",
        ]
        said = " adds up every attempt on record, also of runs that the study shares with others."
        text: list[Text] = [ref("tab-cost"), said]
        last = len(rows) - 1
        return [
            paragraph(*text),
            table("cost", "lrrrr", [head], rows, caption, wide=True, rules=[last]),
        ]
