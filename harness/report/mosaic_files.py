"""A mosaic as files: the whole figure as SVG, its images as PNG, and a CSV of its cells.

The SVG is as wide as the report's page or column. Its images are embedded, so it stands alone.
"""

from __future__ import annotations

import base64
import io
from html import escape

import pandas as pd
from PIL import Image

from harness.report.blocks import Mosaic
from harness.report.style import COLUMN, PAGE_FACE, WIDE

LETTER = 8.2  # points, as in the report
BREADTH = 0.55  # of a letter, as a share of its size
GAP = 6.0  # points between cells
NOT_SAMPLED = "not sampled"


def files(block: Mosaic) -> dict[str, bytes]:
    """The files of a mosaic by their path: NAME.svg, NAME.csv and NAME/IMAGE.png."""
    name = block.label.removeprefix("fig-")
    made = {f"{name}.svg": svg(block)}
    text = cells(block).to_csv(index=False, lineterminator="\n")
    made[f"{name}.csv"] = text.encode()
    return made | {f"{name}/{image}": data for image, data in block.images.items()}


def cells(block: Mosaic) -> pd.DataFrame:
    """One row per cell: row and column (from 1), their names, image (its path beside the CSV), and
    what the image is of. A cell that was not sampled has no image."""
    name = block.label.removeprefix("fig-")
    facts = {} if block.data is None else {str(r["image"]): r for r in _records(block.data)}
    lines = [
        {
            "row": i,
            "column": j,
            "row_name": row_name,
            "column_name": block.titles.get(cell or "", column_name),
            **facts.get(cell or "", {}),
            "image": f"{name}/{cell}" if cell else None,
        }
        for i, (row_name, line) in enumerate(block.rows, 1)
        for j, (column_name, cell) in enumerate(zip(block.columns, line, strict=True), 1)
        if cell != ""  # behind the last image of a line
    ]
    known = [] if block.data is None else [str(c) for c in block.data if c != "image"]
    columns = ["row", "column", "row_name", "column_name", "image", *known]
    frame = pd.DataFrame(lines, columns=columns)
    return frame if block.data is None else frame.astype(_types(block.data))


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _types(frame: pd.DataFrame) -> dict[str, str]:
    """Whole numbers stay whole in a column where some cells have none."""
    return {str(c): "Int64" for c in frame if pd.api.types.is_integer_dtype(frame[c])}


def svg(block: Mosaic) -> bytes:
    """The whole figure: images with the names of their rows and columns, pixels not smoothed."""
    whole = 72 * (WIDE if block.wide else COLUMN)
    names = [name for name, _ in block.rows]
    left = 0.0
    if any(names):
        longest = max(map(len, names)) * BREADTH * LETTER
        left = GAP + (min(longest, whole / 3) if block.upright else LETTER)
    across = len(block.columns)
    width = (whole - left - GAP * (across - 1)) / across
    sizes = {name: Image.open(io.BytesIO(data)).size for name, data in block.images.items()}
    drawn: list[str] = []
    top = 0.0
    if any(block.columns):
        top = 1.5 * LETTER
        for j, title in enumerate(block.columns):
            drawn.append(_text(title, left + j * (width + GAP) + width / 2, LETTER, width))
    for name, line in block.rows:
        titled = 1.5 * LETTER if any(c in block.titles for c in line if c) else 0.0
        tall = max((width * sizes[c][1] / sizes[c][0] for c in line if c), default=2 * LETTER)
        if name and block.upright:
            drawn.append(_text(name, (left - GAP) / 2, top + tall / 2 + LETTER / 3, left - GAP))
        elif name:
            middle = top + titled + tall / 2
            turned = f' transform="rotate(-90 {LETTER:.2f} {middle:.2f})"'
            drawn.append(_text(name, LETTER, middle, tall, turned))
        for j, cell in enumerate(line):
            x = left + j * (width + GAP)
            if cell is None:
                middle = top + titled + tall / 2
                drawn.append(_text(NOT_SAMPLED, x + width / 2, middle, width, ' fill="#777777"'))
            elif cell:
                if cell in block.titles:
                    drawn.append(_text(block.titles[cell], x + width / 2, top + LETTER, width))
                drawn.append(_image(block.images[cell], x, top + titled, width, sizes[cell]))
        top += titled + tall + GAP
    size = f"{whole:.2f} {max(top - GAP, 1):.2f}"
    width_pt, height_pt = size.split()
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width_pt}pt" height="{height_pt}pt" viewBox="0 0 {size}">\n'
        f"<title>{escape(block.alt)}</title>\n" + "\n".join(drawn) + "\n</svg>\n"
    ).encode()


def _text(text: str, x: float, y: float, room: float, more: str = "") -> str:
    """Text about `x` in `room` points: smaller where it is too long."""
    size = min(LETTER, room / max(1.0, BREADTH * len(text)))
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" font-family="{PAGE_FACE}, serif" font-style="italic" '
        f'font-size="{size:.2f}" text-anchor="middle"{more}>{escape(text)}</text>'
    )


def _image(data: bytes, x: float, y: float, width: float, size: tuple[int, int]) -> str:
    inside = base64.b64encode(data).decode()
    height = width * size[1] / size[0]
    return (
        f'<image x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
        f' style="image-rendering: pixelated" xlink:href="data:image/png;base64,{inside}"/>'
    )
