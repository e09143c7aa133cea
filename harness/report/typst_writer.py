"""A document as a PDF: its blocks travel to the template as JSON, typst sets the pages.

Nothing a user wrote becomes markup: the template only places strings. Fonts are typst's own and
matplotlib's, so that a machine's own fonts do not change the file.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.report import fonts
from harness.report.blocks import (
    Abstract,
    Block,
    Cell,
    Code,
    Document,
    Figure,
    Heading,
    Mosaic,
    Note,
    Pairs,
    Paragraph,
    Section,
    Table,
    Text,
    plain,
)

LONG = 400  # letters of a section's text that may end a page without the figure below it
TEMPLATE = Path(__file__).with_name("report.typ")


def pdf(document: Document) -> bytes:
    """The typeset report. Raises HarnessError where typst refuses it."""
    import typst

    content, files = parts(document)
    content["said"] = fingerprint(document)
    chosen, without = fonts.found(fonts.lacking(content))
    if without:
        note = Note("Characters that cannot be shown.", [f"{_boxes(without)} below."])
        content["bands"].insert(0, _json(note))
    with tempfile.TemporaryDirectory(prefix="harness-report-") as scratch:
        folder = Path(scratch)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        (folder / "content.json").write_text(json.dumps(content), encoding="utf-8")
        (folder / "report.typ").write_text(TEMPLATE.read_text("utf-8"), encoding="utf-8")
        (folder / "fonts").mkdir()
        for i, font in enumerate(chosen):
            (folder / "fonts" / f"{i}{font.suffix}").write_bytes(font.read_bytes())
        try:
            made = typst.compile(
                folder / "report.typ",
                root=folder,
                ignore_system_fonts=True,
                font_paths=[fonts.packaged(), folder / "fonts"],
                timestamp=document.timestamp,
            )
        except typst.TypstError as error:
            raise HarnessError(
                f"typst could not typeset the report of {document.study}: {error}"
            ) from error
    assert isinstance(made, bytes)
    return made


def unshown(document: Document) -> str | None:
    """A sentence on characters that no font here has; None where all can be shown."""
    _, without = fonts.found(fonts.lacking(parts(document)[0]))
    return f"{_boxes(without)} in the PDF: install a font that has them" if without else None


def _boxes(characters: set[str]) -> str:
    return f"No font here has {fonts.named(characters)}; they are boxes"


def fingerprint(document: Document) -> str:
    """SHA-256 of what a document says: its words, its tables, and the numbers in its figures.

    It stands among the keywords of the PDF, so that a file can be held against what the code says
    today. Rounding in the last digits, and how a figure is drawn, leave it as it is.
    """
    content, _ = parts(document)
    told: list[Any] = [content]
    for block in document.pieces():
        if isinstance(block, Figure):
            told.append(re.findall(r"<text[^>]*>([^<]*)</text>", block.svg.decode()))
            if block.data is not None:
                told.append(block.data.to_csv(index=False, float_format="%.5g"))
    text = json.dumps(told, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def parts(document: Document) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The input of the template: the content as JSON's types, and the images by file name."""
    files: dict[str, bytes] = {}
    for block in document.pieces():
        if isinstance(block, Figure):
            files[f"{block.label}.svg"] = block.svg
        elif isinstance(block, Mosaic):
            files |= block.images
    content = {
        "title": fonts.breakable(document.title),
        "study": fonts.breakable(document.study),
        "profile": fonts.breakable(document.profile),
        "date": document.date,
        "bands": bands(document.sections),
    }
    return content, files


def bands(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """The page from top to bottom: wide sections alone, narrow ones two by two.

    A section is wide if any of its pieces is. One without a title is a band of its own.
    """
    out: list[dict[str, Any]] = []
    for section in sections:
        blocks = [_json(b) for b in section.blocks]
        if not section.title:
            out += blocks
            continue
        texts = [b for b in blocks if b["kind"] == "par"]
        rest = [b for b in blocks if b["kind"] != "par"]
        told: dict[str, Any] = {"title": section.title, "text": texts, "rest": rest}
        told["sticky"] = sum(len(plain(b.spans)) for b in section.blocks
                             if isinstance(b, Paragraph)) < LONG  # fmt: skip
        wide = any(b["wide"] for b in rest) or len(rest) != 1
        if not wide and out and out[-1]["kind"] == "narrow" and len(out[-1]["sections"]) == 1:
            out[-1]["sections"].append(told)
        else:
            out.append({"kind": "wide" if wide else "narrow", "sections": [told]})
    return out


def _json(block: Block) -> dict[str, Any]:
    """One block as the template reads it."""
    match block:
        case Heading(text):
            return {"kind": "heading", "text": text, "wide": False}
        case Paragraph(spans):
            return {"kind": "par", "spans": _spans(spans), "wide": False}
        case Note(title, spans):
            return {"kind": "note", "title": title, "spans": _spans(spans), "wide": True}
        case Abstract(spans):
            return {"kind": "abstract", "spans": _spans(spans), "wide": True}
        case Figure():
            return {
                "kind": "figure",
                "label": block.label,
                "image": f"{block.label}.svg",
                "alt": block.alt,
                "caption": _spans(block.caption),
                "wide": block.wide,
            }
        case Table():
            return {
                "kind": "table",
                "label": block.label,
                "align": list(block.align),
                "head": [[_cell(c) for c in line] for line in block.head],
                "rows": [[_cell(c) for c in line] for line in block.rows],
                "caption": _spans(block.caption),
                "wide": block.wide,
                "rules": list(block.rules),
                "gap": block.gap,
                "size": block.size,
            }
        case Mosaic():
            return {
                "kind": "mosaic",
                "label": block.label,
                "columns": list(block.columns),
                "rows": [{"name": name, "cells": list(cells)} for name, cells in block.rows],
                "alt": block.alt,
                "caption": _spans(block.caption),
                "wide": block.wide,
                "upright": block.upright,
                "titles": {k: fonts.breakable(v) for k, v in block.titles.items()},
            }
        case Code(text):
            return {"kind": "code", "text": text, "wide": True}
        case Pairs(rows):
            half = -(-len(rows) // 2)
            halves = [[list(r) for r in part] for part in (rows[:half], rows[half:])]
            return {"kind": "pairs", "wide": block.wide, "parts": halves}


def _spans(spans: Sequence[Text]) -> list[str | dict[str, str]]:
    return [
        fonts.breakable(s)
        if isinstance(s, str)
        else {s.style: s.text if s.style == "ref" else fonts.breakable(s.text)}
        for s in spans
    ]


def _cell(cell: str | Cell) -> str | dict[str, Any]:
    if isinstance(cell, str):
        return fonts.breakable(cell)
    return {"text": fonts.breakable(cell.text), "span": cell.span, "strong": cell.strong}
