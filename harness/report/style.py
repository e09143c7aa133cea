"""One look for every figure: colour is model size, marker and dash are patch size.

Colours darken with size, so that the order survives printing in grey. Text is set in the report's
own face: matplotlib measures it with the metrically close STIX that it ships, the SVG names the
face of the page.
"""

from __future__ import annotations

import functools
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar
from xml.sax.saxutils import escape

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from harness.report import palette, wording

COLUMN, WIDE = 3.35, 6.93  # inches: the page's column and full width
PAGE_FACE, MEASURED_FACE = "Libertinus Serif", "STIXGeneral"
INK, QUIET = palette.INK, palette.QUIET

SIZE_COLOURS = palette.SIZES
OTHER_COLOURS = palette.OTHERS
BLOCK_COLOURS = palette.BLOCKS
PATCH_MARKERS = {8: "s", 4: "^", 2: "o"}
DOTTED, DASHED, DASH_DOT = (0, (1.2, 1.6)), (0, (4.5, 1.8)), (0, (5, 1.5, 1.2, 1.5))
PATCH_DASHES: dict[int, Any] = {8: DOTTED, 4: DASHED, 2: "-"}
BLOCK_DASHES: dict[str, Any] = {
    "in-context": DOTTED,
    "cross-attention": DASHED,
    "adaln": DASH_DOT,
    "adaln-zero": "-",
}
OTHER_DASHES: tuple[Any, ...] = ("-", DASHED, DOTTED, DASH_DOT)

SETTINGS: Any = {
    "font.family": [MEASURED_FACE, "DejaVu Serif"],  # the second for what the first lacks
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.2,
    "ytick.labelsize": 7.2,
    "legend.fontsize": 7.2,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": palette.LINES,
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a name with dollar signs is a name
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
}


P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorator: `draw` runs under this style (matplotlib reads settings while it draws)."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **named: P.kwargs) -> R:
        with matplotlib.rc_context(SETTINGS):
            made = draw(*args, **named)
            figure = getattr(made, "figure", None)
            if isinstance(figure, Canvas) and figure.waiting:
                figure.place_labels()
            return made

    return drawn


class Canvas(Figure):
    """A figure that knows what its points say, and what waits until its layout is known.

    `hover`: texts by the id of their artist. `waiting`: labels to be placed, each a function.
    """

    hover: dict[str, list[str]]
    waiting: list[Callable[[], None]]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        FigureCanvasAgg(self)  # measures text
        self.hover = {}
        self.waiting = []

    def place_labels(self) -> None:
        """Lay the figure out, and then do what waited for it."""
        self.draw_without_rendering()
        for place in self.waiting:
            place()
        self.waiting.clear()


def canvas(width: float, height: float, **grid: Any) -> tuple[Canvas, Any]:
    """A figure (inches) and its axes; it draws itself, pyplot's global state is not touched."""
    figure = Canvas(figsize=(width, height))
    return figure, figure.subplots(**grid)


def say(artist: Any, texts: Sequence[str]) -> None:
    """Give each point of a drawn line its text under the pointer, in the SVG of it."""
    figure = artist.get_figure(root=True)
    name = f"said{len(figure.hover)}"
    artist.set_gid(name)
    figure.hover[name] = list(texts)


def svg(figure: Figure) -> bytes:
    """The figure as SVG, the same bytes each time, its text named in the page's face."""
    out = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue().decode().replace(MEASURED_FACE, PAGE_FACE)
    for name, texts in getattr(figure, "hover", {}).items():
        before, mark, after = text.partition(f'<g id="{name}">')
        after = _titled(after, texts)
        text = before + mark + after
    return text.encode()


def _titled(drawn: str, texts: Sequence[str]) -> str:
    """What follows a group's opening, each mark of the group with its text under the pointer.

    Marks are copies of one shape, or shapes of their own (a hatched disc). Where not all were drawn
    (a point out of range), nobody knows which: none has a text then.
    """
    end = _end_of_group(drawn)
    group, rest = drawn[:end], drawn[end:]
    tag = "use" if "<use " in group else "path"
    if len(re.findall(rf"<{tag} [^>]*/>", group)) != len(texts):
        return drawn
    said = iter(texts)
    told = re.sub(
        rf"<{tag} ([^>]*)/>",
        lambda mark: f"<{tag} {mark[1]}><title>{escape(next(said))}</title></{tag}>",
        group,
    )
    return told + rest


def _end_of_group(drawn: str) -> int:
    depth = 1
    for found in re.finditer(r"<g[ >]|</g>", drawn):
        depth += -1 if found[0] == "</g>" else 1
        if depth == 0:
            return found.start()
    return len(drawn)


def png(figure: Figure) -> bytes:
    """The figure as PNG at 200 dots per inch."""
    out = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(out, format="png", dpi=200, metadata={"Software": None})
    return out.getvalue()


def colour(size: Any, index: int = 0) -> str:
    """The colour of a size; sizes outside the zoo take the other colours in turn."""
    return SIZE_COLOURS.get(str(size), OTHER_COLOURS[index % len(OTHER_COLOURS)])


def look(row: dict[str, Any], index: int = 0) -> dict[str, Any]:
    """color, marker and linestyle of one model (a row with size and patch_size)."""
    patch = row.get("patch_size")
    return {
        "color": colour(row.get("size"), index),
        "marker": PATCH_MARKERS.get(patch, "D"),  # type: ignore[arg-type]
        "linestyle": PATCH_DASHES.get(patch, "-"),  # type: ignore[arg-type]
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def log_axis(axis: Any, values: Sequence[float], pad: float = 1.35) -> None:
    """A log axis over `values` with few, plainly written ticks; it has no place for 0 and less."""
    values = [v for v in values if v > 0 and math.isfinite(v)] or [1.0]
    low, high = min(values) / pad, max(values) * pad
    across = axis.axis_name == "x"
    (axis.axes.set_xscale if across else axis.axes.set_yscale)("log")
    decades = math.log10(high / low)
    choices = [(1,), (1, 3), (1, 2, 5), tuple(range(1, 10)), tuple(n / 10 for n in range(10, 100))]
    begin = 0 if decades > 2.2 else 1 if decades > 1.3 else 2
    stride = max(1, math.ceil(decades / 6))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks: list[float] = []
    for mantissas in choices[begin:]:
        ticks = [
            float(f"{m}e{d}")
            for d in range(first, last + 1)
            if d % stride == 0
            for m in mantissas
            if low <= m * 10.0**d <= high
        ]
        if len(ticks) > 1:
            break
    ticks = ticks[:: max(1, len(ticks) // 5)]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([tick_text(t) for t in ticks]))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    (axis.axes.set_xlim if across else axis.axes.set_ylim)(low, high)


def tick_text(value: float) -> str:
    """Plain between 0.001 and 10,000, else a power of ten."""
    if 1e-3 <= value < 1e5:
        return f"{value:,.6g}" if value >= 1 else f"{value:g}"
    return wording.power(value)
