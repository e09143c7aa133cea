"""Figure 10."""

from __future__ import annotations

import math

import numpy as np

from harness.report import figures
from harness.report.blocks import Block, Text, figure, paragraph, ref, strong
from harness.report.findings import Findings
from harness.report.phrases import floor_clause, missing, sampling_sentence
from harness.report.sections.base import Section
from harness.report.wording import listed, number


class SamplingCompute(Section):
    """Figure 10."""

    name = "sampling-compute"
    title = "Sampling compute and quality"

    def blocks(self, found: Findings) -> list[Block]:
        if not len(found.sweep):
            return [missing("No model was sampled at more than one number of steps", found)]
        assert found.sweep_protocol is not None
        counts = sorted(int(n) for n in found.sweep["sampling_steps"].unique())
        spans: list[Text] = [
            ref("fig-sampling-compute"),
            f" samples every model with {listed(map(str, counts))} steps. ",
        ]
        spans += sampling_sentence(found)
        if len(found.pairs):
            gain = math.exp(float(np.log(found.pairs["ratio"].to_numpy(float)).mean()))
            better = "better" if gain >= 1 else "worse"
            spans.append(
                f" On average over pairs the larger is {number(max(gain, 1 / gain))} times {better} "
                "where the two can be compared. "
            )
            enough = (found.pairs["ahead"] == "larger").mean()
            if enough >= 0.9 and len(found.pairs) > 2:
                spans.append("More sampling steps do not make up for a smaller model.")
            elif enough <= 0.5:
                spans.append("The paper's finding, that the larger model wins, is not seen here.")
        caption: list[Text] = [
            strong("Sampling compute against quality. "),
            f"{found.title}, {found.sweep_protocol.sentence()}. ",
            *floor_clause(found),
        ]
        if found.pair is not None:
            caption.append(
                f"Rings: {found.pair.larger} at {found.pair.larger_steps} steps is better, with less "
                f"compute, than {found.pair.smaller} at {found.pair.smaller_steps}."
            )
        drawn = figures.svg(figures.sampling(found))
        return [
            paragraph(*spans),
            figure("sampling-compute", drawn, caption, "Quality against sampling compute"),
        ]
