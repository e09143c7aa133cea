"""The method: how the models were trained and measured, and where that differs from the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.components.section import Section
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.phrases import PAPER
from harness.report.wording import DASH, listed

PAPERS: Mapping[str, tuple[str, str]] = {  # setting: (in setting_in_words, the paper's value)
    "data": ("data", "ImageNet"),
    "source": ("kind of source", DASH),
    "image_size": ("image size", "256"),
    "channels": ("image channels", "3"),
    "num_classes": ("classes", "1,000"),
    "train_images": ("training images", "1,281,167"),
    "flip": ("horizontal flips", "yes"),
    "seed": ("seed of the images' draws", DASH),
    "autoencoder": ("autoencoder", "sd-vae"),
    "autoencoder decoder": ("decoder of the autoencoder", "ft-mse"),
    "objective": ("objective", "ddpm"),
    "steps": ("training steps", "400,000"),
    "batch_size": ("batch size", "256"),
    "learning_rate": ("learning rate", "0.0001"),
    "base_width": ("base width of the learning rate", DASH),
    "schedule": ("learning-rate schedule", "constant"),
    "optimizer": ("optimizer", "adamw"),
    "weight_decay": ("weight decay", "0"),
    "betas": ("betas of the optimizer", "0.9, 0.999"),
    "ema": ("decay of the averaged weights", "0.9999"),
    "label_dropout": ("label dropout", "0.1"),
    "grad_clip": ("gradient clipping", "none"),
    "precision": ("precision of training", DASH),
    "tf32": ("TF32 matrix products", DASH),
    "samples": ("samples measured", "50,000"),
    "sampling_steps": ("sampling steps", "250"),
    "extractor": ("features of the metrics", "inception-2015"),
}


def setting_in_words(name: str) -> str:
    """A setting's name as a person says it."""
    return PAPERS.get(name, (name.replace("_", " "), ""))[0]


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
            return [paragraph(em("The study's settings are not available."))]
        rows: list[list[str | Cell]] = []
        other = []
        for name, value in settings.items():
            theirs = PAPERS.get(name, ("", DASH))[1]
            ours = said(value)
            alike = theirs == DASH or ours.lower() == theirs.lower()
            if name == "optimizer" and "betas" in settings:  # they have a row of their own
                alike = ours.partition(" (betas")[0].lower() == theirs
            other += [] if alike else [setting_in_words(name)]
            rows.append(
                [setting_in_words(name), ours if alike else Cell(ours, strong=True), theirs]
            )
        text: list[Text] = [ref("tab-method"), " has the settings of data, training and "]
        text.append("measurement. ")
        if other and not findings.report.papers_own:
            text.append(f"These are not the paper's: {listed(other)}. ")
        caption: list[Text] = [
            strong("Settings. "),
            "Bold: another value than the paper's. A setting with several values was an axis of "
            f"the study. The paper's: {PAPER}, sections 4 and 5.",
        ]
        return [
            paragraph(*text),
            table("method", "lll", [["Setting", "this study", "the paper"]], rows, caption,
                  wide=True, size=7.9),
        ]  # fmt: skip


def said(value: Any) -> str:
    """A setting as a person writes it."""
    if isinstance(value, (list, tuple, set)):
        return ", ".join(said(v) for v in value)
    if value is None:
        return "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) >= 1e-4 or value == 0 else repr(value)
    return str(value)
