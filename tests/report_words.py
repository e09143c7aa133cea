"""What a composed report says, as text and as tables."""

from __future__ import annotations

import dataclasses
import re

from harness.report.document import compose

ALL = (
    "headline",
    "gflops",
    "training",
    "training-compute",
    "sampling-compute",
    "samples",
    "models",
    "blocks",
    "complexity",
    "guidance",
    "decoders",
    "comparison",
    "provenance",
)


def words(content):
    """Every string of a composed report, in order, as one text."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return " ".join(words(v) for k, v in content.items() if k not in ("kind", "label", "ref"))
    if isinstance(content, (list, tuple)):
        return " ".join(words(v) for v in content)
    return ""


def said(report):
    return re.sub(r"\s+", " ", words(compose(report)[0]))


def abstract(report):
    return said(dataclasses.replace(report, sections=("headline",)))


def cells_of(report, label):
    document, _ = compose(report)
    blocks = [b for band in document["bands"] for s in band.get("sections", ()) for b in s["rest"]]
    return next(b for b in blocks if b.get("label") == label)
