"""Quality over training (Figure 6), and every measured step as a table."""

from __future__ import annotations

from harness.components.section import Section
from harness.report import figures
from harness.report.blocks import Block, Cell, Text, paragraph, ref, strong, table
from harness.report.draw import drawn
from harness.report.figures.training import OVER_TRAINING, panels_by
from harness.report.findings import Findings
from harness.report.phrases import (
    floor_clause,
    interval_clause,
    missing,
    settings_clause,
    shared_clause,
    trained,
)
from harness.report.tables import half
from harness.report.wording import DASH, cell, small_ints

MOST_STEPS = 8  # columns of the table


class Training(Section):
    """Figure 6: each model's quality at every measured step of its training."""

    name = "training"
    title = "Quality over training"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        if not trained(found.curves):
            return [missing("Quality was not measured at more than one training step", found)]
        assert found.curves_protocol is not None
        how = f"{found.heading}, {found.curves_protocol.sentence()}. "
        caption: list[Text] = [strong("Quality over training. "), how]
        if len(panels_by(found.curves)) == 2:
            caption.append("Above: sizes at one patch size. Below: patch sizes at one size. ")
        else:
            caption.append(settings_clause(found.curves, OVER_TRAINING))
        caption += [*floor_clause(found, found.curves_protocol), interval_clause(found.curves)]
        drawing = figures.training(
            found.curves, found.title, found.short, found.line(found.curves_protocol)
        )
        text: list[Text] = [ref("fig-training"), " follows each model over its training; "]
        text += [ref("tab-steps"), " has the values."]
        return [paragraph(*text), drawn("training", drawing, caption), steps_table(found, how)]


def steps_table(found: Findings, how: str) -> Block:
    """A row per model, a column per measured step."""
    steps = sorted(int(s) for s in found.curves["step"].unique())
    measured = len(steps)
    if measured > MOST_STEPS:
        last = len(steps) - 1
        steps = [steps[round(i * last / (MOST_STEPS - 1))] for i in range(MOST_STEPS)]
    rows: list[list[str | Cell]] = []
    for label, part in found.curves.groupby("label", sort=False):
        at = {int(r["step"]): r for r in part.to_dict("records")}
        values = [
            cell(at[s]["value"], at[s]["low"], at[s]["high"]) if s in at else DASH for s in steps
        ]
        rows.append([str(label), *values])
    head: list[str | Cell] = ["Model", *(f"{s:,}" for s in steps)]
    caption: list[Text] = [strong("Quality by step. "), how, half(rows)]
    if measured > MOST_STEPS:
        caption.append(f"Of {measured:,} measured steps {small_ints(MOST_STEPS)} stand here. ")
    caption += [shared_clause(found.curves)] if half(rows) else []
    return table("steps", "l" + "r" * len(steps), [head], rows, caption, wide=True, size=7.9)
