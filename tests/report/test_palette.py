"""Colours: themed pictures, and both themes readable."""

from __future__ import annotations

import re

import pytest

from harness.report import palette


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("text", [palette.INK, palette.QUIET])
def test_text_is_readable_on_both_pages(text: str) -> None:
    """WCAG AA: 4.5 to 1."""
    assert contrast(text, palette.PAGE) >= 4.5
    assert contrast(palette.DARK[text], palette.DARK[palette.PAGE]) >= 4.5


@pytest.mark.parametrize(
    "mark", [*palette.SIZES.values(), *palette.OTHERS, *palette.BLOCKS.values()]
)
def test_marks_are_seen_on_the_dark_page(mark: str) -> None:
    assert contrast(palette.DARK.get(mark, mark), palette.DARK[palette.PAGE]) >= 2.5


def test_sizes_darken_so_that_grey_keeps_their_order() -> None:
    order = [luminance(colour) for colour in palette.SIZES.values()]
    assert order == sorted(order, reverse=True)


def test_a_themed_picture_has_no_colour_that_the_page_cannot_turn() -> None:
    svg = f'<path stroke="{palette.INK}" fill="{palette.SIZES["S"]}"/>'
    out = palette.themed(svg)
    assert palette.INK not in out and f"var({palette.name(palette.INK)})" in out
    assert palette.SIZES["S"] in out  # seen on both
    used = set(re.findall(r"var\((--c\w+)\)", palette.themed(" ".join(palette.DARK))))
    css = palette.css()
    assert used == {palette.name(c) for c in palette.DARK}
    for name in used:
        assert css.count(f"{name}:") == 4  # light, dark by the system, dark by choice, paper
    printed = css[css.index("@media print") :]
    assert f"{palette.name(palette.INK)}:{palette.INK};" in printed


def test_a_readers_own_choice_of_light_wins_over_the_systems_dark() -> None:
    assert ":root:not([data-theme=light])" in palette.css()
    assert ":root[data-theme=dark]" in palette.css()
