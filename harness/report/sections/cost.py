"""What the study cost: device time by kind of stage, kept and lost."""

from __future__ import annotations

from collections.abc import Sequence

from harness.components.section import Section
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.input import Spent
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
        counted = any(s.kept_gpu_hours or s.lost_gpu_hours for s in spent)
        rows = [_line(s, counted) for s in [*spent, _all(spent)]]
        head: list[str | Cell] = ["Stages", "Attempts", "time kept"]
        head += ["GPU-hours kept"] if counted else []
        head += ["failed or stopped", "time lost"]
        head += ["GPU-hours lost"] if counted else []
        caption: list[Text] = [
            strong("Time spent. "),
            "Wall time of the attempts, each on one worker's device or as one task of a queue",
            "; GPU-hours are that time by the GPUs that the queue gives such a task. "
            if counted
            else ". ",
            "Energy is not recorded.",
        ]
        said = " adds up every attempt on record, also of runs that the study shares with others."
        text: list[Text] = [ref("tab-cost"), said]
        last = len(rows) - 1
        return [
            paragraph(*text),
            table("cost", "l" + "r" * (len(head) - 1), [head], rows, caption, wide=True,
                  rules=[last]),
        ]  # fmt: skip


def _all(spent: Sequence[Spent]) -> Spent:
    return Spent(
        kind="all",
        attempts=sum(s.attempts for s in spent),
        kept=sum(s.kept for s in spent),
        failed=sum(s.failed for s in spent),
        lost=sum(s.lost for s in spent),
        kept_gpu_hours=sum(s.kept_gpu_hours for s in spent),
        lost_gpu_hours=sum(s.lost_gpu_hours for s in spent),
    )


def _line(s: Spent, counted: bool) -> list[str | Cell]:
    line: list[str | Cell] = [s.kind, f"{s.attempts:,}", duration(s.kept)]
    line += [f"{s.kept_gpu_hours:,.1f}"] if counted else []
    line += [f"{s.failed:,}", duration(s.lost)]
    return line + ([f"{s.lost_gpu_hours:,.1f}"] if counted else [])
