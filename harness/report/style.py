"""One look for every figure: colour is model size, marker and dash are patch size.

Colours darken with size, so that the order survives printing in grey. Text is set in the report's
own face: matplotlib measures it with the metrically close STIX that it ships, the SVG names the
face of the page.
"""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from harness.report import wording

COLUMN, WIDE = 3.35, 6.93  # inches: the page's column and full width
PAGE_FACE, MEASURED_FACE = "Libertinus Serif", "STIXGeneral"
INK, QUIET, RULE = "#1c1c22", "#6d6d78", "#c9c9d1"

SIZE_COLOURS = {"S": "#eda63a", "B": "#dd6148", "L": "#96388b", "XL": "#2a1d6a", "XXL": "#000000"}
OTHER_COLOURS = ("#3f8f8a", "#7a9a3c", "#5b7fb8", "#a0703c", "#444444")
PATCH_MARKERS = {8: "s", 4: "^", 2: "o"}
PATCH_DASHES: dict[int, Any] = {8: (0, (1.2, 1.6)), 4: (0, (4.5, 1.8)), 2: "-"}
PATCH_COLOURS = {8: "#eda63a", 4: "#c2436e", 2: "#2a1d6a"}
BLOCK_COLOURS = {
    "in-context": "#eda63a",
    "cross-attention": "#dd6148",
    "adaln": "#96388b",
    "adaln-zero": "#2a1d6a",
}

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
    "grid.color": "#e9e9ee",
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


Drawing = TypeVar("Drawing", bound=Callable[..., Figure])


def styled(draw: Drawing) -> Drawing:
    """Decorator: `draw` runs under this style (matplotlib reads settings while it draws)."""

    @functools.wraps(draw)
    def drawn(*args: Any, **named: Any) -> Figure:
        with matplotlib.rc_context(SETTINGS):
            return draw(*args, **named)

    return drawn  # type: ignore[return-value]


def canvas(width: float, height: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure (inches) and its axes; it draws itself, pyplot's global state is not touched."""
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(**grid)


def svg(figure: Figure) -> bytes:
    """The figure as SVG, the same bytes each time, its text named in the page's face."""
    out = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue().replace(MEASURED_FACE.encode(), PAGE_FACE.encode())


def png(figure: Figure) -> bytes:
    """The figure as PNG at 200 dots per inch."""
    out = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(out, format="png", dpi=200, metadata={"Software": None})
    return out.getvalue()


def colour(size: Any, index: int = 0) -> str:
    """By size; sizes outside the zoo take the other colours in turn."""
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
    """A log axis over positive `values` with few, plainly written ticks."""
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


def quality_axis(axes: Axes, values: Sequence[float], floor: float | None) -> None:
    """The vertical axis: linear from zero as in the paper's figures, log over large ranges.

    The floor is a line where it is in range.
    """
    values = [v for v in values if math.isfinite(v)]
    if not values:
        return
    if min(values) > 0 and max(values) / min(values) > 15:
        log_axis(axes.yaxis, values)
    else:
        axes.set_ylim(min(0.0, min(values) * 1.1), max(*values, floor or 0.0, 1e-12) * 1.06)
    draw_floor(axes, floor)


def draw_floor(axes: Axes, floor: float | None) -> None:
    """A dashed line at the value of real images, named; nothing where it lies out of range."""
    if floor is None or not axes.get_ylim()[0] <= floor <= axes.get_ylim()[1]:
        return
    axes.axhline(floor, color=QUIET, linewidth=0.8, linestyle=(0, (5, 2)), zorder=1.5)


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float, str, str]],
    avoid: Sequence[tuple[float, float]] = (),
) -> None:
    """Write each (x, y, text, colour) beside its point, where it covers nothing yet.

    `avoid`: points of a curve to keep clear of, if there is room.
    Greedy: the first of eight places free of points and earlier labels, else the least crowded.
    """
    figure: Any = axes.figure
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    spots = [axes.transData.transform((x, y)) for x, y, _, _ in points]
    taken = [(x - 3 * scale, y - 3 * scale, x + 3 * scale, y + 3 * scale) for x, y in spots]
    for x, y in avoid:
        px, py = axes.transData.transform((x, y))
        taken.append((px - scale, py - scale, px + scale, py + scale))
    frame = axes.get_window_extent()
    places = (
        (5, 0, "left", "center"),
        (0, 5, "center", "bottom"),
        (0, -5, "center", "top"),
        (-5, 0, "right", "center"),
        (4, 4, "left", "bottom"),
        (4, -4, "left", "top"),
        (-4, 4, "right", "bottom"),
        (-4, -4, "right", "top"),
    )
    for (x, y, text, ink), (px, py) in zip(points, spots, strict=True):
        wide, high = 3.7 * len(text) * scale, 6.4 * scale
        options: list[tuple[float, int, tuple[float, float, float, float]]] = []
        for dx, dy, horizontal, vertical in places:
            left = px + dx * scale - {"left": 0, "center": wide / 2, "right": wide}[horizontal]
            low = py + dy * scale - {"bottom": 0, "center": high / 2, "top": high}[vertical]
            box = (left, low, left + wide, low + high)
            cost = sum(_overlap(box, other) for other in taken)
            inside = _overlap(box, (frame.x0, frame.y0, frame.x1, frame.y1))
            cost += 4 * max(0.0, wide * high - inside)
            options.append((round(cost, 3), len(options), box))
        _, best, box = min(options)
        dx, dy, horizontal, vertical = places[best]
        taken.append(box)
        axes.annotate(
            text,
            (x, y),
            (dx, dy),
            textcoords="offset points",
            ha=horizontal,
            va="center_baseline" if vertical == "center" else vertical,
            fontsize=6.8,
            color=ink,
        )


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Area shared by two boxes (left, low, right, high)."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, high)
