"""The method: how the models were trained and measured, and where that differs from the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.components.section import Section
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.phrases import PAPER
from harness.report.wording import DASH

PAPERS: Mapping[str, tuple[str, str]] = {  # setting: (in words, the paper's value)
    "data": ("data", "ImageNet"),
    "image_size": ("image size", "256"),
    "autoencoder": ("autoencoder", "sd-vae"),
    "batch_size": ("batch size", "256"),
    "learning_rate": ("learning rate", "0.0001"),
    "weight_decay": ("weight decay", "0"),
    "ema": ("decay of the averaged weights", "0.9999"),
    "steps": ("training steps", "400000"),
    "label_dropout": ("label dropout", "0.1"),
    "flip": ("horizontal flips", "True"),
    "samples": ("samples measured", "50000"),
    "sampling_steps": ("sampling steps", "250"),
    "extractor": ("features of the metrics", "inception-2015"),
}


class Method(Section):
    """Every setting of data, training and measurement beside the paper's."""

    name = "method"
    title = "Method"
    needs = ()

    def blocks(self, findings: Findings) -> list[Block]:
        settings = dict(findings.report.settings)
        if findings.protocol is not None:
            settings.setdefault("samples", findings.protocol.samples)
            settings.setdefault("sampling_steps", findings.protocol.sampling_steps)
        if not settings:
            return [paragraph(em("The study's settings are not at hand."))]
        rows: list[list[str | Cell]] = []
        for name, value in settings.items():
            words, theirs = PAPERS.get(name, (name.replace("_", " "), DASH))
            ours = said(value)
            alike = theirs in (DASH, ours)
            rows.append([words, ours if alike else Cell(ours, strong=True), theirs])
        caption: list[Text] = [
            strong("Settings. "),
            "Bold: another value than the paper's; several values were axes of the study. The "
            f"paper's: {PAPER}, sections 4 and 5.",
        ]
        return [
            paragraph(ref("tab-method"), " has the settings of data, training and measurement."),
            table("method", "lll", [["Setting", "this study", "the paper"]], rows, caption,
                  wide=True, size=7.9),
        ]  # fmt: skip


def said(value: Any) -> str:
    """A setting as a person writes it."""
    if isinstance(value, (list, tuple, set)):
        return ", ".join(said(v) for v in value)
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) >= 1e-4 or value == 0 else repr(value)
    return str(value)
