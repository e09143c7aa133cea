"""The colours of every figure and page: one per size, the same in print, on light and on dark."""

from __future__ import annotations

INK, QUIET, RULE, LINES, PAGE = "#1c1c22", "#6d6d78", "#c9c9d1", "#e9e9ee", "#ffffff"

SIZES = {"S": "#eda63a", "B": "#dd6148", "L": "#96388b", "XL": "#2a1d6a", "XXL": "#000000"}
OTHERS = ("#3f8f8a", "#7a9a3c", "#5b7fb8", "#a0703c", "#444444")
BLOCKS = {  # no size's: in Figure 5 all models are of one
    "in-context": "#b9c05a",
    "cross-attention": "#5fa8a3",
    "adaln": "#4a78a8",
    "adaln-zero": "#14463f",
}

DARK = {  # on a dark page; what is not named stays
    INK: "#e9e9ee",
    QUIET: "#a2a2ae",
    RULE: "#4a4a55",
    LINES: "#2b2b33",
    PAGE: "#17171c",
    "#96388b": "#d07ac6",
    "#2a1d6a": "#9d8ff0",
    "#000000": "#ffffff",
    "#444444": "#bbbbbb",
    "#14463f": "#7fd0c2",
    "#4a78a8": "#7fb0e0",
    "#55555f": "#a2a2ae",
}


def name(colour: str) -> str:
    """The CSS variable that stands for a colour, so that a dark page may change it."""
    return f"--c{colour.lstrip('#')}"


def themed(svg: str) -> str:
    """The SVG with colours that follow the page's: dark ink on light, light ink on dark."""
    for colour in DARK:
        svg = svg.replace(colour, f"var({name(colour)})")
    return svg


def css() -> str:
    """The variables of light pages, of dark ones, of a reader's own choice, and of paper."""
    light = "".join(f"{name(c)}:{c};" for c in DARK)
    dark = "".join(f"{name(c)}:{d};" for c, d in DARK.items())
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;"
        f"{dark}}}}}\n:root[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
        f"@media print{{:root:root{{color-scheme:light;{light}}}}}"
    )
