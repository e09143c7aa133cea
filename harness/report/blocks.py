"""The document as data: what a section may put on a page, before anything is typeset.

A section yields blocks; `harness.report.typst_writer` and `harness.report.html_writer` set the same
blocks as a PDF and as a page for the browser. Nothing a user wrote is markup: text is text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Span:
    """A stretch of text with a `style`: "strong", "em", "mono", or "ref" (text is a label)."""

    text: str
    style: str


@dataclass(frozen=True)
class Cell:
    """A table cell that is more than its text: it spans columns, or is set bold."""

    text: str
    span: int = 1
    strong: bool = False


Text = str | Span


def strong(text: str) -> Span:
    """Bold text."""
    return Span(text, "strong")


def em(text: str) -> Span:
    """Text in italics."""
    return Span(text, "em")


def mono(text: str) -> Span:
    """Text as code."""
    return Span(text, "mono")


def ref(label: str) -> Span:
    """A reference to a figure ("fig-gflops") or table ("tab-models") of the same document."""
    return Span(label, "ref")


@dataclass(frozen=True)
class Heading:
    """Below a section's own title."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    spans: Sequence[Text]


@dataclass(frozen=True)
class Note:
    """A framed warning that the reader must not miss."""

    title: str
    spans: Sequence[Text]


@dataclass(frozen=True)
class Abstract:
    """The text at the head of the first page."""

    spans: Sequence[Text]


@dataclass(frozen=True)
class Figure:
    """A drawing: `data` are the numbers in it, `alt` says in words what it shows."""

    label: str  # "fig-..."
    svg: bytes
    caption: Sequence[Text]
    alt: str
    data: pd.DataFrame | None = None
    wide: bool = False  # across the page


@dataclass(frozen=True)
class Table:
    """Rows below a head of one or more lines; `align` has one of l, r, c per column."""

    label: str  # "tab-..."
    align: str
    head: Sequence[Sequence[str | Cell]]
    rows: Sequence[Sequence[str | Cell]]
    caption: Sequence[Text]
    wide: bool = False
    rules: Sequence[int] = ()  # a thin rule stands above these rows
    gap: float = 4.2  # points between columns
    size: float = 8.2  # points
    data: pd.DataFrame | None = None  # all its rows, for a CSV, where it does not show them all


@dataclass(frozen=True)
class Mosaic:
    """Images by row and column; a cell is the name of one of `images`, None (not sampled) or ""."""

    label: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str | None]]]
    images: Mapping[str, bytes]  # PNG by file name
    caption: Sequence[Text]
    alt: str
    wide: bool = True
    upright: bool = False  # names of rows stand as they are read, not turned by 90 degrees
    titles: Mapping[str, str] = field(default_factory=dict)  # above an image, where it has its own
    data: pd.DataFrame | None = None  # what each image is of: image (its name), run, step


@dataclass(frozen=True)
class Pairs:
    """Names and values in two columns; True sets a value as code."""

    rows: Sequence[tuple[str, str, bool]]
    wide: bool = True


@dataclass(frozen=True)
class Code:
    """Lines set as they are."""

    text: str
    wide: bool = True


Block = Heading | Paragraph | Note | Abstract | Figure | Table | Mosaic | Pairs | Code


@dataclass(frozen=True)
class Section:
    """One section of the report: its title ("" for the abstract) and its blocks."""

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A report ready to be written: by `typst_writer.pdf` or `html_writer.html`."""

    title: str
    study: str
    profile: str
    date: str
    timestamp: int
    sections: Sequence[Section] = field(default=())

    def pieces(self) -> list[Block]:
        """All blocks of all sections, in order."""
        return [block for section in self.sections for block in section.blocks]


def plain(spans: Sequence[Text]) -> str:
    """The text of spans without their styles."""
    return "".join(s if isinstance(s, str) else s.text for s in spans)


def paragraph(*spans: Text) -> Paragraph:
    """A Paragraph of these spans."""
    return Paragraph(spans)


def figure(
    label: str,
    svg: bytes,
    caption: Sequence[Text],
    alt: str,
    data: pd.DataFrame | None = None,
    wide: bool = False,
) -> Figure:
    """A Figure under `fig-LABEL`."""
    return Figure(f"fig-{label}", svg, caption, alt, data, wide)


def table(
    label: str,
    align: str,
    head: Sequence[Sequence[str | Cell]],
    rows: Sequence[Sequence[str | Cell]],
    caption: Sequence[Text],
    **look: Any,
) -> Table:
    """A table under `tab-LABEL`; `look` are the other fields of `Table`."""
    return Table(f"tab-{label}", align, head, rows, caption, **look)
