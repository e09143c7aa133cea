"""What a composed report says, as text and as tables."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import re
from unittest import mock

from harness.components.section import BUILT_IN
from harness.report import typst_writer
from harness.report.document import compose

ALL = tuple(BUILT_IN)
COMPOSED = {}  # by a report's bytes, what the typst template is given; one test's own


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


def composed(report):
    """What the typst template is given of a report; composed once in a test, figures unseen."""
    name = pickle.dumps(report)
    if name not in COMPOSED:
        with unseen_figures():
            COMPOSED[name] = parts(report)[0]
    return COMPOSED[name]


def said(report):
    """All its words."""
    return re.sub(r"\s+", " ", words(composed(report)))


def abstract(report):
    return said(dataclasses.replace(report, sections=("headline",)))


def cells_of(report, label):
    bands = composed(report)["bands"]
    blocks = [b for band in bands for s in band.get("sections", ()) for b in s["rest"]]
    return next(b for b in blocks if b.get("label") == label)
