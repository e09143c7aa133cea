"""Figure 8."""

from __future__ import annotations

import math

from harness.analysis import compute
from harness.report import figures, wording
from harness.report.blocks import Block, Text, figure, paragraph, ref, strong
from harness.report.findings import Findings
from harness.report.phrases import apart, floor_clause, missing, seeds
from harness.report.sections.base import Section
from harness.report.wording import at, count, listed, signed


class Gflops(Section):
    """Figure 8."""

    name = "gflops"
    title = "Model compute and quality"

    def blocks(self, found: Findings) -> list[Block]:
        if not len(found.final):
            return [missing("No model has a measured quality yet", found)]
        assert found.protocol is not None
        spans: list[Text] = [ref("fig-gflops"), " sets model compute against quality. "]
        c, law = found.correlation, found.law
        if c is not None:
            strength, _ = wording.trend(c, found.higher)
            spans.append(
                {
                    "strong": "The correlation is strong",
                    "moderate": "The correlation is moderate",
                    "weak": "The correlation is weak",
                    "none": "There is no clear correlation",
                    "opposite": "The correlation goes against the expected direction",
                }[strength]
            )
            spans.append(
                f": Spearman {signed(c.spearman)} (p {_p(c.p_value)}, {c.models} models), "
                f"Pearson {signed(c.pearson)} with the logarithm of Gflops. "
            )
            if len(c.spearman_by_seed) > 1:
                low, high = min(c.spearman_by_seed), max(c.spearman_by_seed)
                spans.append(f"Seed by seed, Spearman is {signed(low)} to {signed(high)}. ")
        elif found.references > 1:
            spans.append(apart(found))
        else:
            spans.append(
                "The models do not differ in compute or quality, so there is nothing to correlate. "
                if len(found.final) > 2
                else "A correlation needs at least three models. "
            )
        if law is not None:
            over = f" ± {law.exponent_std:.3f} over seeds" if law.exponent_std is not None else ""
            exponent = f"{law.exponent:.3f}".replace("-", "−")
            spans.append(
                f"A power law in Gflops fits with the exponent {exponent}{over} (standard error "
                f"{law.stderr:.3f}; R² = {math.floor(law.r2 * 100) / 100:.2f} of the logarithm). "
            )
        sizes = compute.steps_forward(found.final, found.metric or "", "size")
        patches = compute.steps_forward(found.final, found.metric or "", "patch_size")
        told = [
            f"{what} improves it in {better} of {total} cases"
            for what, (better, total) in (
                ("one size up at the same patch size", sizes),
                ("a smaller patch at the same size", patches),
            )
            if total
        ]
        if told:
            spans.append(listed(told)[0].upper() + listed(told)[1:] + ". ")
        if found.without_value:
            lost = count(found.without_value, "recorded row has", "recorded rows have")
            spans.append(
                f"{lost} no finite value and {'is' if found.without_value == 1 else 'are'} "
            )
            spans.append("left out. ")
        caption: list[Text] = [
            strong("Gflops against quality. "),
            f"{found.title} {at(found.step)} ({found.protocol.sentence()}; {found.better}). ",
        ]
        if law is not None:
            caption.append("Line: power law. ")
        caption += floor_clause(found)
        if found.seeds > 1:
            caption.append(f"Means of {seeds(found)}; bars: standard deviation. ")
        if len(found.paper) >= 3:
            caption.append("Right: the same models in the paper (its Table 3), another metric.")
        drawn = figures.svg(figures.gflops(found))
        wide = len(found.paper) >= 3
        return [
            paragraph(*spans),
            figure("gflops", drawn, caption, "Quality against model compute", wide=wide),
        ]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"
