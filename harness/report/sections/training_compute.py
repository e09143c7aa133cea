"""Figure 9."""

from __future__ import annotations

from harness.report import figures
from harness.report.blocks import Block, Text, figure, paragraph, ref, strong
from harness.report.findings import Findings
from harness.report.phrases import floor_clause, missing, trained
from harness.report.sections.base import Section
from harness.report.wording import number, small_ints


class TrainingCompute(Section):
    """Figure 9."""

    name = "training-compute"
    title = "Training compute and quality"

    def blocks(self, found: Findings) -> list[Block]:
        if not trained(found):
            return [missing("Quality was not measured at more than one training step", found)]
        front = found.frontier
        if not len(front):
            return [missing("The compute of the trainings is not known", found)]
        first, last = front.iloc[0], front.iloc[-1]
        members = list(dict.fromkeys(front.sort_values("gflops")["label"]))
        spans: list[Text] = [
            ref("fig-training-compute"),
            " counts training compute as the paper does: Gflops × batch × steps × 3. The best quality "
            "at each compute (grey band) ",
        ]
        if len(members) == 1:
            spans.append(f"always belongs to {members[0]}. ")
        else:
            spans.append(
                f"passes from {first['label']} at {number(first['train_gflops'])} Gflops to "
                f"{last['label']} at {number(last['train_gflops'])} and is held by "
                f"{small_ints(len(members))} of {small_ints(found.curves['label'].nunique())} models. "
            )
        drawn = figures.svg(figures.training_compute(found))
        caption: list[Text] = [
            strong("Training compute against quality. "),
            f"{found.title}. Each line is a model, each mark a checkpoint. ",
            *floor_clause(found),
        ]
        return [
            paragraph(*spans),
            figure("training-compute", drawn, caption, "Quality against training compute"),
        ]
