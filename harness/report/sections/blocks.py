"""Block designs (Figure 5)."""

from __future__ import annotations

from harness.components.section import Section
from harness.report import chosen, figures
from harness.report.blocks import Block, Text, paragraph, ref, strong
from harness.report.draw import drawn
from harness.report.findings import Findings
from harness.report.phrases import (
    best_sentence,
    drawn_clause,
    floor_clause,
    interval_clause,
    missing,
    trained,
)
from harness.report.wording import small_ints

SAID = 4  # models of which the text speaks


class Blocks(Section):
    """Figure 5: the block designs over training, a panel per model."""

    name = "blocks"
    title = "Block designs"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        designs = found.curves["block"].nunique() if len(found.curves) else 0
        if not trained(found.curves):
            return [missing("Quality was not measured at more than one training step", found)]
        if designs < 2:
            return [missing("Fewer than two block designs were measured", found)]
        spans: list[Text] = [ref("fig-blocks"), " compares the block designs. "]
        if found.references < 2:
            panels = figures.panels_of_designs(found.final)
            models = [(name, part) for name, part in panels if part["block"].nunique() > 1]
            for name, part in models[:SAID]:
                spans += [strong(f"{name}: "), *best_sentence(found, part)]
            if (rest := len(models) - SAID) > 0:
                spans.append(f"Of {small_ints(rest)} more models nothing is said here. ")
        spans += chosen.sentences(found)
        spans.append(
            "In the paper (Figure 5 and Table 3) adaLN-Zero has the lowest FID, 19.47, then adaLN "
            "25.21, cross-attention 26.14 and in-context 35.24; it publishes no spread."
        )
        caption: list[Text] = [
            strong("Block designs over training. "),
            f"{found.heading}. ",
            *floor_clause(found, found.curves_protocol),
            interval_clause(found.curves),
        ]
        shown = figures.of_several_designs(found.curves)
        if len(shown) < len(found.curves):
            caption.append("Models of one design alone are left out. ")
        caption.append(drawn_clause(len(figures.panels_of_designs(shown)), "model"))
        drawing = figures.blocks(shown, found.title, found.line(found.curves_protocol))
        return [paragraph(*spans), drawn("blocks", drawing, caption)]
