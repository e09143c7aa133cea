"""Samples of every model (Figure 7), real images, and grids of one class (Figures 11, 14 to 33)."""

from __future__ import annotations

from harness.components.section import Section
from harness.report.blocks import Block, Text, paragraph, ref, strong
from harness.report.findings import Findings
from harness.report.mosaic import milestones, mosaic, strip
from harness.report.phrases import missing


class Samples(Section):
    """Figure 7: what every model draws from the same noise and labels; real images; one class."""

    name = "samples"
    title = "Samples"

    def blocks(self, findings: Findings) -> list[Block]:
        report = findings.report
        if not report.samples and not report.strips and not report.grids:
            return [missing("No samples are kept", findings)]
        blocks: list[Block] = []
        spans: list[Text] = []
        if report.samples:
            shown = mosaic(report.samples, report.samples_how, report.samples_steps)
            spans += [ref(shown.label), " shows what the numbers measure"]
            spans.append(": image by image, only the model differs. " if len(report.samples) > 1
                         else ". ")  # fmt: skip
            blocks.append(shown)
        if report.strips:
            blocks.append(milestones(report.strips, report.strips_how))
            spans += [ref("fig-milestones"), " shows what training made of the same noise. "]
        if report.real is not None:
            caption: list[Text] = [strong("Real images: "), f"{report.real_how}."]
            alt = "real images of the training data"
            blocks.append(strip("real", report.real, caption, alt, how=report.real_how))
            spans += [ref("fig-real"), " has real ones. "]
        elif report.real_how:
            spans.append(f"No real images stand beside them: {report.real_how.rstrip('.')}. ")
        drawn: list[str] = []
        for i, grid in enumerate(report.grids, 1):
            if grid.images is None:
                spans.append(f"{grid.name[0].upper()}{grid.name[1:]}, guidance {grid.guidance:g}: "
                             f"{grid.why}. ")  # fmt: skip
                continue
            told: list[Text] = [
                strong(f"Uncurated samples of {grid.name}, "),
                f"guidance {grid.guidance:g} ({grid.how}): the first {len(grid.images)} that were "
                "drawn of it.",
            ]
            alt = f"samples of {grid.name} at guidance {grid.guidance:g}"
            made = strip(f"grid-{i}", grid.images, told, alt, run=grid.run, step=grid.step,
                         of=grid.name, guidance=grid.guidance, how=grid.how)  # fmt: skip
            blocks.append(made)
            drawn.append(f"fig-grid-{i}")
        if drawn:
            ends = [ref(drawn[0])] if len(drawn) == 1 else [ref(drawn[0]), " to ", ref(drawn[-1])]
            have = "has" if len(drawn) == 1 else "have"
            spans += [*ends, f" {have} the first samples of one class, and none is left out. "]
        return [paragraph(*spans), *blocks]
