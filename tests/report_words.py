"""What a composed report says, as text and as tables."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from unittest import mock

from harness.components.section import BUILT_IN
from harness.report import typst_writer
from harness.report.document import compose

ALL = tuple(BUILT_IN)


def parts(report):
    """What the typst template is given: (content, files by name)."""
    return typst_writer.parts(compose(report))


def words(content):
    """Every string of a composed report, in order, as one text."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        hidden = ("kind", "label", "ref", "image", "alt")
        return " ".join(words(v) for k, v in content.items() if k not in hidden)
    if isinstance(content, (list, tuple)):
        return " ".join(words(v) for v in content)
    return ""


@contextlib.contextmanager
def unseen_figures():
    """Figures are made with all that is in them, but neither laid out nor written.

    That is most of a report's time. Tests of figures and of documents lay them out.
    """
    with (
        mock.patch("harness.report.style.svg", lambda figure: b"<svg/>"),
        mock.patch("harness.report.style.Canvas.place_labels", lambda figure: None),
    ):
        yield


def said(report):
    """All its words."""
    with unseen_figures():
        return re.sub(r"\s+", " ", words(parts(report)[0]))


def abstract(report):
    return said(dataclasses.replace(report, sections=("headline",)))


def cells_of(report, label):
    with unseen_figures():
        document, _ = parts(report)
    blocks = [b for band in document["bands"] for s in band.get("sections", ()) for b in s["rest"]]
    return next(b for b in blocks if b.get("label") == label)
