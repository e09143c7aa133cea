"""The document as data: labels, order of pieces, text without styles."""

from __future__ import annotations

import dataclasses

import pytest

from harness.report import blocks
from harness.report.blocks import (
    Cell,
    Document,
    Figure,
    Heading,
    Section,
    Span,
    em,
    figure,
    mono,
    paragraph,
    plain,
    ref,
    strong,
    table,
)


def test_labels_tell_figures_from_tables() -> None:
    made = figure("gflops", b"<svg/>", ["Caption."], "alt", wide=True)
    assert isinstance(made, Figure) and made.label == "fig-gflops" and made.wide
    rows = table("models", "lr", [["Model", "FD"]], [["a", "1"]], ["Caption."], rules=[1], size=7)
    assert (rows.label, rows.align, rows.rules, rows.size) == ("tab-models", "lr", [1], 7)
    assert not rows.wide
    with pytest.raises(TypeError, match="colour"):
        table("models", "l", [], [], [], colour="red")


def test_spans_have_the_style_that_their_name_says() -> None:
    assert [f("x").style for f in (strong, em, mono, ref)] == ["strong", "em", "mono", "ref"]
    assert plain(["a ", strong("b"), " c"]) == "a b c"
    assert paragraph("a", em("b")).spans == ("a", em("b"))


def test_pieces_come_section_by_section() -> None:
    one, two, three = (Heading(name) for name in "abc")
    sections = [Section("x", "X", [one, two]), Section("y", "", []), Section("z", "Z", [three])]
    assert Document("t", "s", "p", "d", 0, sections).pieces() == [one, two, three]
    assert Document("t", "s", "p", "d", 0).pieces() == []


@pytest.mark.parametrize("value", [Span("a", "em"), Cell("a"), Heading("a")])
def test_blocks_are_frozen(value: object) -> None:
    field = dataclasses.fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, "b")


def test_every_kind_of_block_is_in_the_union() -> None:
    """The writers match over it: a block that is not in it would be left out of the page."""
    members = set(blocks.Block.__args__)
    named = {"Heading", "Paragraph", "Note", "Abstract", "Figure", "Table", "Mosaic", "Pairs"}
    assert {cls.__name__ for cls in members} == {*named, "Code"}
