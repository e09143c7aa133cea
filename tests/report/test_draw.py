"""From a drawing to a figure block."""

from __future__ import annotations

import pandas as pd

from harness.report import style
from harness.report.draw import drawn
from harness.report.figures.marks import Drawing


def drawing(width: float) -> Drawing:
    figure, axes = style.canvas(width, 1)
    axes.plot([0, 1], [0, 1])
    return Drawing(figure, pd.DataFrame({"value": [1.0]}), "a line")


def test_a_block_holds_the_drawings_numbers_and_words() -> None:
    given = drawing(style.COLUMN)
    block = drawn("loss", given, ["Loss. ", "", "Means."])
    assert block.label == "fig-loss" and block.svg.startswith(b"<?xml") and block.alt == "a line"
    assert block.data is given.data
    assert block.caption == ["Loss. ", "Means."]  # a clause that says nothing leaves no gap


def test_what_is_wider_than_a_column_goes_across_the_page() -> None:
    assert not drawn("a", drawing(style.COLUMN), []).wide
    assert drawn("a", drawing(style.WIDE), []).wide
