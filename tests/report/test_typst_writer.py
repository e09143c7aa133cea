"""The typeset page: what the template is given, and which sections stand side by side."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from harness.errors import HarnessError
from harness.report import typst_writer
from harness.report.blocks import (
    Abstract,
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
    em,
    paragraph,
    ref,
    strong,
)
from harness.report.typst_writer import bands, parts

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'


def figure(label: str = "fig-a", wide: bool = False) -> Figure:
    return Figure(label, SVG, ["Caption."], "alt", pd.DataFrame(), wide)


def narrow(name: str) -> Section:
    return Section(name, name.title(), [paragraph("Text."), figure(f"fig-{name}")])


def kinds(sections: list[Section]) -> list[tuple[str, int]]:
    return [(b["kind"], len(b.get("sections", ()))) for b in bands(sections)]


def test_narrow_sections_stand_two_by_two_and_wide_ones_alone() -> None:
    wide = Section("w", "W", [paragraph("Text."), figure("fig-w", wide=True)])
    assert kinds([narrow("a"), narrow("b"), narrow("c")]) == [("narrow", 2), ("narrow", 1)]
    assert kinds([narrow("a"), wide, narrow("b")]) == [("narrow", 1), ("wide", 1), ("narrow", 1)]
    two = Section("t", "T", [figure("fig-1"), figure("fig-2")])
    assert kinds([two]) == [("wide", 1)]  # two pieces have no room beside another section


def test_a_long_text_may_end_a_page_without_its_figure() -> None:
    """Held together, both went to the next page, and left the one before half blank."""
    for letters, kept in ((40, True), (900, False)):
        text = Paragraph(["w" * letters])
        (band,) = bands([Section("a", "A", [text, figure(wide=True)])])
        assert band["sections"][0]["sticky"] is kept


def test_a_section_without_a_title_is_its_blocks() -> None:
    made = bands([Section("abstract", "", [Note("Unfinished.", ["x"]), Abstract(["y"])])])
    assert [b["kind"] for b in made] == ["note", "abstract"]


def test_every_block_is_jsons_types_and_nothing_of_it_is_lost() -> None:
    table = Table("tab-a", "lr", [["Model", Cell("FD", span=2, strong=True)]], [["a", "1"]], ["C."])
    mosaic = Mosaic("fig-m", ["1"], [("a", ["x.png", None])], {"x.png": b"png"}, ["C."], "")
    sections = [
        Section(
            "x", "X", [Heading("H"), paragraph("a", strong("b"), em("c"), ref("tab-a")), table]
        ),
        Section("y", "Y", [figure(), mosaic, Code("a: 1"), Pairs([("n", "v", True)] * 3)]),
    ]
    document = Document("T", "s", "p", "1 May", 0, sections)
    content, files = parts(document)
    assert json.loads(json.dumps(content)) == content
    assert files == {"fig-a.svg": SVG, "x.png": b"png"}
    assert (content["title"], content["study"], content["date"]) == ("T", "s", "1 May")
    first, second = content["bands"]
    (spans,) = [b["spans"] for b in first["sections"][0]["text"]]
    assert spans == ["a", {"strong": "b"}, {"em": "c"}, {"ref": "tab-a"}]
    told = next(b for b in first["sections"][0]["rest"] if b["kind"] == "table")
    assert told["head"] == [["Model", {"text": "FD", "span": 2, "strong": True}]]
    rest = {b["kind"]: b for b in second["sections"][0]["rest"]}
    assert rest["mosaic"]["rows"] == [{"name": "a", "cells": ["x.png", None]}]
    assert [len(half) for half in rest["pairs"]["parts"]] == [2, 1]
    assert rest["code"]["text"] == "a: 1"


def test_what_typst_refuses_names_the_study() -> None:
    section = Section("x", "X", [Figure("fig-a", b"no svg", [], "")])
    with pytest.raises(HarnessError, match="typst could not typeset the report of mine"):
        typst_writer.pdf(Document("T", "mine", "p", "d", 0, [section]))


def test_the_smallest_document_is_a_pdf_and_the_same_each_time() -> None:
    made = Document("T", "s", "p", "d", 0, [Section("x", "X", [paragraph("#not [markup] $x$")])])
    first = typst_writer.pdf(made)
    assert first.startswith(b"%PDF") and typst_writer.pdf(made) == first


def test_what_no_font_has_is_named() -> None:
    said = typst_writer.unshown(Document("\U000f0000", "s", "p", "d", 0, []))
    assert said is not None and "U+F0000" in said and "install a font that has them" in said
    assert typst_writer.unshown(Document("T", "s", "p", "d", 0, [])) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "block",
    [
        lambda word: Note(word, ["x"]),
        lambda word: Note("x", [word]),
        lambda word: Abstract([word]),
        lambda word: Heading(word),
        lambda word: Code(word),
        lambda word: Pairs([("n", word, False)]),
    ],
)
def test_words_of_every_block_below_a_title_reach_the_page(block, monkeypatch) -> None:
    """A warning in a section of its own was set nowhere: the page was the same without it."""
    monkeypatch.setattr(typst_writer, "fingerprint", lambda document: "the same")

    def page(word: str) -> bytes:
        return typst_writer.pdf(Document("T", "s", "p", "d", 0, [Section("x", "X", [block(word)])]))

    assert page("one") != page("two")


def test_a_file_says_what_it_was_set_from() -> None:
    def made(word: str, number: float, drawn: str) -> Document:
        svg = SVG.replace(b"></svg>", f"><text x='1'>{drawn}</text></svg>".encode())
        one = Figure("fig-a", svg, ["Caption."], "alt", pd.DataFrame({"value": [number]}))
        return Document("T", "s", "p", "d", 0, [Section("x", "X", [paragraph(word), one])])

    first = made("word", 1.0, "S/2")
    said = typst_writer.fingerprint(first)
    assert f"sha256 {said}".encode() in typst_writer.pdf(first)
    assert typst_writer.fingerprint(made("word", 1.0 + 1e-9, "S/2")) == said
    for other in (made("work", 1.0, "S/2"), made("word", 1.1, "S/2"), made("word", 1.0, "S/4")):
        assert typst_writer.fingerprint(other) != said
