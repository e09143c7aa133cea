"""A document as one HTML file that needs nothing else: no request leaves the page.

Figures are inline SVG whose points say their values under the pointer; tables sort by a click or
the keyboard; a reader's choice of dark or light is followed and can be changed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from harness.report import palette
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
    Table,
    Text,
    plain,
)

HERE = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def html(document: Document) -> str:
    """The whole page."""
    numbers = numbered(document)
    body = [f"<h1>{escape(document.title)}</h1>"]
    body.append(
        f'<p class="quiet">Study <em>{escape(document.study)}</em>, profile '
        f"<em>{escape(document.profile)}</em> · {escape(document.date)}</p>"
    )
    titled = 0
    for section in document.sections:
        blocks = "\n".join(_block(b, numbers) for b in section.blocks)
        name = escape(section.name, quote=True)
        if section.title:
            titled += 1
            head = f'<h2 id="h-{name}">{titled} {escape(section.title)}</h2>'
            body.append(f'<section aria-labelledby="h-{name}">{head}\n{blocks}</section>')
        else:
            body.append(blocks)
    colours = palette.css()
    style = (HERE / "page.css").read_text("utf-8")
    script = (HERE / "page.js").read_text("utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<link rel="icon" href="data:,">
<title>{escape(document.title)}</title>
<style>
{colours}
{style}
</style>
</head>
<body>
<button id="theme" type="button" aria-label="Change between dark and light">◐</button>
<main>
{chr(10).join(body)}
</main>
<script>
{script}
</script>
</body>
</html>
"""


def numbered(document: Document) -> dict[str, str]:
    """ "Figure 2" or "Table 1" of each label, in the order of the document."""
    found: dict[str, str] = {}
    figures = tables = 0
    for block in document.pieces():
        if isinstance(block, (Figure, Mosaic)):
            figures += 1
            found[block.label] = f"Figure {figures}"
        elif isinstance(block, Table):
            tables += 1
            found[block.label] = f"Table {tables}"
    return found


def _block(block: Block, numbers: dict[str, str]) -> str:
    match block:
        case Heading(text):
            return f"<h3>{escape(text)}</h3>"
        case Paragraph(spans):
            return f"<p>{_spans(spans, numbers)}</p>"
        case Note(title, spans):
            said = _spans(spans, numbers)
            return f'<p class="note" role="note"><strong>{escape(title)}</strong> {said}</p>'
        case Abstract(spans):
            return f'<p class="abstract">{_spans(spans, numbers)}</p>'
        case Figure():
            drawn = inline(block.svg.decode(), block.label, block.alt)
            wide = " wide" if block.wide else ""
            return (
                f'<figure class="drawn{wide}" id="{block.label}">{drawn}'
                f"{_caption(block, numbers)}</figure>"
            )
        case Mosaic():
            return _mosaic(block, numbers)
        case Table():
            return _table(block, numbers)
        case Code(text):
            return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'
        case Pairs(rows):
            lines = "".join(
                f"<dt>{escape(name)}</dt><dd>"
                + (f"<code>{escape(value)}</code>" if code else escape(value))
                + "</dd>"
                for name, value, code in rows
            )
            return f"<dl>{lines}</dl>"


def _caption(block: Figure | Mosaic | Table, numbers: dict[str, str]) -> str:
    said = _spans(block.caption, numbers)
    return f"<figcaption><strong>{numbers[block.label]}.</strong> {said}</figcaption>"


def inline(svg: str, name: str, alt: str) -> str:
    """An SVG to stand in a page: its ids are its own, its colours are the page's."""
    start = svg.index("<svg")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[start:], flags=re.S)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = palette.themed(svg)
    end = svg.index(">")
    opening = re.sub(r' (?:width|height)="[^"]*"', "", svg[:end])
    label = escape(alt, quote=True)
    return f'{opening} role="img" aria-label="{label}"{svg[end:]}'


def _table(block: Table, numbers: dict[str, str]) -> str:
    head = []
    for i, line in enumerate(block.head):
        last = i == len(block.head) - 1
        cells = []
        for cell in line:
            text, span = _parts(cell)
            if last:
                inside = f'<button type="button">{escape(text)}</button>'
                cells.append(f'<th scope="col" aria-sort="none">{inside}</th>')
            else:
                cells.append(f'<th colspan="{span}" scope="colgroup">{escape(text)}</th>')
        head.append(f"<tr>{''.join(cells)}</tr>")
    body = []
    for i, row in enumerate(block.rows):
        cells = []
        for j, cell in enumerate(row):
            text, span = _parts(cell)
            bold = isinstance(cell, Cell) and cell.strong
            said = f"<strong>{escape(text)}</strong>" if bold else escape(text)
            side = {"l": "left", "r": "right", "c": "center"}[block.align[min(j, len(row) - 1)]]
            wide = f' colspan="{span}"' if span > 1 else ""
            cells.append(f'<td class="{side}"{wide}>{said}</td>')
        ruled = ' class="ruled"' if i in block.rules else ""
        body.append(f"<tr{ruled}>{''.join(cells)}</tr>")
    named = escape(f"{numbers[block.label]}. {plain(block.caption)}", quote=True)
    return (
        f'<figure class="table" id="{block.label}">{_caption(block, numbers)}'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{named}">'
        f"<table><thead>{''.join(head)}</thead><tbody>{''.join(body)}</tbody></table></div></figure>"
    )


def _parts(cell: str | Cell) -> tuple[str, int]:
    return (cell, 1) if isinstance(cell, str) else (cell.text, cell.span)


def _mosaic(block: Mosaic, numbers: dict[str, str]) -> str:
    shown = {
        name: f"data:image/png;base64,{base64.b64encode(data).decode()}"
        for name, data in block.images.items()
    }
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in block.columns)
    lines = []
    for name, cells in block.rows:
        images = "".join(
            _image(cell, f"{name} {column}".strip(), shown, block.titles)
            for cell, column in zip(cells, block.columns, strict=True)
        )
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{images}</tr>')
    return (
        f'<figure class="mosaic" id="{block.label}">'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(block.alt)}">'
        f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        f"</div>{_caption(block, numbers)}</figure>"
    )


def _image(
    cell: str | None, place: str, shown: Mapping[str, str], titles: Mapping[str, str]
) -> str:
    """One cell of a mosaic; `place`: its row and column in words."""
    if not cell:
        return '<td class="quiet">not sampled</td>' if cell is None else "<td></td>"
    title = titles.get(cell, "")
    above = f"{escape(title)}<br>" if title else ""
    return f'<td>{above}<img src="{shown[cell]}" alt="{escape(title or place)}"></td>'


def _spans(spans: Sequence[Text], numbers: dict[str, str]) -> str:
    out = []
    for span in spans:
        if isinstance(span, str):
            out.append(escape(span))
        elif span.style == "ref":
            out.append(f'<a href="#{span.text}">{numbers.get(span.text, span.text)}</a>')
        else:
            tag = {"strong": "strong", "em": "em", "mono": "code"}[span.style]
            out.append(f"<{tag}>{escape(span.text)}</{tag}>")
    return "".join(out)
