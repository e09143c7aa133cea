"""Figure 6."""

from __future__ import annotations

from harness.analysis import compute
from harness.report import figures
from harness.report.blocks import Block, Text, figure, paragraph, ref, strong
from harness.report.findings import Findings
from harness.report.phrases import floor_clause, missing, trained
from harness.report.sections.base import Section
from harness.report.wording import count, listed


class Training(Section):
    """Figure 6."""

    name = "training"
    title = "Quality over training"

    def blocks(self, found: Findings) -> list[Block]:
        if not trained(found):
            return [missing("Quality was not measured at more than one training step", found)]
        assert found.curves_protocol is not None
        steps = sorted(int(s) for s in found.curves["step"].unique())
        spans: list[Text] = [
            ref("fig-training"),
            f" follows {count(found.curves['label'].nunique(), 'model')} over training, measured at ",
            f"{count(len(steps), 'step')} from {steps[0]:,} to {steps[-1]:,}. ",
        ]
        ordered = []
        for what, along in (("size", "size"), ("patch size", "patch_size")):
            cases = [
                compute.steps_forward(
                    found.curves[found.curves["step"] == s], found.metric or "", along
                )
                for s in steps
            ]
            better, total = sum(b for b, _ in cases), sum(t for _, t in cases)
            if total:
                ordered.append(f"the next {'larger' if along == 'size' else 'smaller'} {what} is ")
                ordered[-1] += f"better in {better} of {total} comparisons"
        if ordered:
            spans.append(f"Over all steps, {listed(ordered)}. ")
        caption: list[Text] = [
            strong("Quality over training. "),
            f"{found.title}, {found.curves_protocol.sentence()}. ",
        ]
        if len(figures.training_rows(found.curves)) == 2:
            caption.append(
                "Above: model size grows at a fixed patch size p. Below: patches shrink. "
            )
        caption += floor_clause(found)
        if found.seeds > 1:
            caption.append("Bands: standard deviation over seeds.")
        plot = figures.training(found)
        drawn, wide = figures.svg(plot), bool(plot.get_figwidth() > 4)
        return [
            paragraph(*spans),
            figure("training", drawn, caption, "Quality over training", wide=wide),
        ]
