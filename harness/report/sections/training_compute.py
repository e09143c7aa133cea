"""Training compute and quality (Figure 9)."""

from __future__ import annotations

from harness.components.section import Section
from harness.report import figures
from harness.report.blocks import Block, Text, paragraph, ref, strong
from harness.report.draw import drawn
from harness.report.findings import Findings
from harness.report.phrases import floor_clause, interval_clause, missing, trained
from harness.report.wording import listed


class TrainingCompute(Section):
    """Figure 9: training compute against quality, the envelope and the best model per budget."""

    name = "training-compute"
    title = "Training compute and quality"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        if not trained(found):
            return [missing("Quality was not measured at more than one training step", found)]
        if not len(found.frontier):
            return [missing("The compute of the trainings is not known", found)]
        spans: list[Text] = [
            ref("fig-training-compute"),
            " counts training compute as the paper does: Gflops × batch × steps × 3. The grey band "
            "is the lowest measured value at each compute" if not found.higher else
            " counts training compute as the paper does: Gflops × batch × steps × 3. The grey band "
            "is the highest measured value at each compute",
        ]  # fmt: skip
        if len(found.groups) == 1:
            members = list(dict.fromkeys(found.frontier.sort_values("train_gflops")["label"]))
            spans.append(f", of {listed(members)} in this order" if len(members) > 1 else "")
        spans.append("; the best of several noisy values is lower than it is.")
        caption: list[Text] = [
            strong("Training compute against quality. "),
            f"{found.title}. Each line is a model, each mark a checkpoint; names stand where a "
            "model takes the envelope over. ",
            *floor_clause(found, found.curves_protocol),
            interval_clause(found.curves),
        ]
        drawing = figures.training_compute(
            found.curves, found.title, found.line(found.curves_protocol), found.frontier
        )
        return [paragraph(*spans), drawn("training-compute", drawing, caption)]
