"""Figure 5."""

from __future__ import annotations

from harness.report import figures
from harness.report.blocks import Block, Text, figure, paragraph, ref, strong
from harness.report.findings import Findings
from harness.report.phrases import floor_clause, missing, trained
from harness.report.sections.base import Section
from harness.report.wording import at, listed, number


class Blocks(Section):
    """Figure 5."""

    name = "blocks"
    title = "Block designs"

    def blocks(self, found: Findings) -> list[Block]:
        designs = found.curves["block"].nunique() if len(found.curves) else 0
        if not trained(found):
            return [missing("Quality was not measured at more than one training step", found)]
        if designs < 2:
            return [missing("Fewer than two block designs were measured", found)]
        final = found.final.sort_values("value", ascending=not found.higher)
        places = [f"{r['block']} ({number(r['value'])})" for r in final.to_dict("records")]
        spans: list[Text] = [
            ref("fig-blocks"),
            f" compares the designs; best to worst {at(found.step)}: {listed(places)}. ",
            "In the paper the order is adaln-zero, adaln, cross-attention, in-context.",
        ]
        caption: list[Text] = [strong("Block designs over training. "), f"{found.title}. "]
        drawn = figures.svg(figures.blocks(found))
        return [
            paragraph(*spans),
            figure(
                "blocks",
                drawn,
                [*caption, *floor_clause(found)],
                "Quality of the block designs over training",
            ),
        ]
