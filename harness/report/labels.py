"""Texts in a figure that lie on nothing: point labels, the floor's name, legends that fit."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from harness.report import style, wording

PLACES = (
    (5, 0, "left", "center_baseline"),
    (0, 5, "center", "bottom"),
    (0, -5, "center", "top"),
    (-5, 0, "right", "center_baseline"),
    (4, 4, "left", "bottom"),
    (4, -4, "left", "top"),
    (-4, 4, "right", "bottom"),
    (-4, -4, "right", "top"),
    (0, 12, "center", "bottom"),
    (0, -12, "center", "top"),
    (9, 8, "left", "bottom"),
    (9, -8, "left", "top"),
    (-9, 8, "right", "bottom"),
    (-9, -8, "right", "top"),
    (12, 0, "left", "center_baseline"),
    (-12, 0, "right", "center_baseline"),
)  # offsets in points
LONGEST = 30  # letters of a name in a figure; tables have it whole
MOST = 14  # places, three pixels apart, at which a label may lie on curves
BAR = 5  # places of a curve that one of an interval counts as: a bar through a name hides letters
LETTER = 3.8  # points, of a tick's name


def short(text: str, longest: int = LONGEST) -> str:
    """The text, or its beginning and end about an ellipsis."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def without_the_model(names: Sequence[str]) -> list[str]:
    """The names without their first word, the model's, where all have the same and more.

    >>> without_the_model(["DiT-S/2 adaln", "DiT-S/2 in-context"])
    ['adaln', 'in-context']
    """
    parts = [name.partition(" ") for name in names]
    if len({first for first, _, _ in parts}) > 1 or not all(rest for _, _, rest in parts):
        return list(names)
    return [rest for _, _, rest in parts]


def name_ticks(axes: Axes, names: Sequence[str]) -> None:
    """Names below 0, 1, 2, ...: in lines where they are long, upright where no line would fit.

    None is cut before it has twice the letters of other names in figures.
    """
    figure: Any = axes.get_figure(root=True)
    across = axes.get_subplotspec().get_gridspec().ncols  # type: ignore[union-attr]
    width = 72 * figure.get_figwidth() / across - 40  # points, less the axis's own numbers
    letters = int(width / max(1, len(names)) / LETTER)
    names = [short(name, 2 * LONGEST) for name in names]
    made = [in_lines(name, letters) for name in names]
    upright = any(len(line) > letters for name in made for line in name.split("\n"))
    if upright:
        made = [in_lines(name, LONGEST) for name in names]
    axes.set_xticks(range(len(names)), made, rotation=90 if upright else 0)


def in_lines(name: str, letters: int) -> str:
    """The name in lines of at most so many letters, broken behind hyphens, spaces and the like.

    >>> in_lines("cross-attention", 10)
    'cross-\\nattention'
    """
    lines = [""]
    for part in re.findall(r"[^-_ ,/]*(?:[-_ ,/]+|$)", name):
        if lines[-1] and len((lines[-1] + part).rstrip()) > letters:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip(" ") for line in lines if line)


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    ink: str = style.INK,
    radii: Sequence[float] = (),
    beside: Sequence[tuple[float, float, str]] = (),
) -> None:
    """Write each (x, y, text) beside its point where it covers nothing, once the layout is known.

    It keeps clear of curves and intervals where there is room. `radii`: of the marks in points (3
    where not given). A label for which no place is free is left out: the value under the pointer
    and the table name it. `beside`: other points of the same names (another's values of the
    models), which are named once with these: the label may stand at either.
    """
    figure: Any = axes.get_figure(root=True)
    reach = list(radii) or [3.0] * len(points)
    figure.waiting.append(lambda: _label(axes, points, ink, reach, beside))


def _label(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    ink: str,
    radii: Sequence[float],
    beside: Sequence[tuple[float, float, str]],
) -> None:
    figure: Any = axes.get_figure(root=True)
    scale = figure.dpi / 72
    renderer = figure.canvas.get_renderer()
    frame = axes.get_window_extent()
    solid = [t.get_window_extent(renderer) for t in axes.texts if t.get_text()]
    drawn = [*zip(points, radii, strict=True), *((spot, 3.0) for spot in beside)]
    for (x, y, _), radius in drawn:
        px, py = axes.transData.transform((x, y))
        side = radius * scale
        solid.append(Bbox.from_bounds(px - side, py - side, 2 * side, 2 * side))
    soft, bars = np.vstack([curves(axes), marks(axes)]), intervals(axes)
    spots = _pixels(axes, [(x, y) for (x, y, _), _ in drawn])
    for (x, y, text), radius in zip(points, radii, strict=True):
        note = axes.annotate(
            short(text), (x, y), (0, 0), textcoords="offset points", fontsize=6.8, color=ink
        )
        note.set_in_layout(False)
        near = [((x, y), radius), *(((px, py), 3.0) for px, py, name in beside if name == text)]
        own = _pixels(axes, [spot for spot, _ in near])
        options: list[Any] = []
        for at, reach in near:
            for place in PLACES:
                out = _out(place, reach - 3)
                note.xy = at
                box = _placed(note, *out, renderer)
                inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 + 2 * scale
                inside = inside and frame.y0 <= box.y0 and box.y1 <= frame.y1 + 4 * scale
                if not inside or any(_meet(box, other) for other in solid):
                    continue
                if _nearest(box, spots) + 2 * scale < _nearest(box, own):
                    continue  # it would be read as another point's
                crossed = _covered(box.padded(scale), soft) + BAR * _covered(box, bars)
                options.append((crossed, len(options), at, out, box))
        best = min(options, key=lambda o: o[:2]) if options else None
        if best is None or best[0] > MOST:  # amid many curves it could not be read
            note.remove()
            continue
        _, _, note.xy, (dx, dy, across, up), _ = best
        solid.append(_placed(note, dx, dy, across, up, renderer))


def marks(axes: Axes) -> NDArray[np.float64]:
    """The places of all drawn marks, (N, 2), in pixels."""
    found = [np.empty((0, 2))]
    for line in axes.get_lines():
        if line.get_transform() is axes.transData and line.get_marker() not in (None, "None", ""):
            found.append(_pixels(axes, line.get_xydata()))
    return np.vstack(found)


def curves(axes: Axes) -> NDArray[np.float64]:
    """Places on all curves, (N, 2), in pixels."""
    drawn = [
        line.get_xydata()
        for line in axes.get_lines()
        if line.get_transform() is axes.transData and line.get_linestyle() not in ("None", "")
    ]
    return _along(axes, drawn)


def intervals(axes: Axes) -> NDArray[np.float64]:
    """Places on all bars of intervals, (N, 2), in pixels."""
    bars = [made for made in axes.collections if isinstance(made, LineCollection)]
    return _along(axes, [segment for made in bars for segment in made.get_segments()])


def strokes(axes: Axes) -> NDArray[np.float64]:
    """Places on all curves and intervals, (N, 2), in pixels."""
    return np.vstack([curves(axes), intervals(axes)])


def _along(axes: Axes, paths: Sequence[Any], apart: float = 3.0) -> NDArray[np.float64]:
    """Places on the paths (of data), at most `apart` pixels from each other, (N, 2)."""
    found = [np.empty((0, 2))]
    for path in paths:
        corners = _pixels(axes, path)
        for one, two in itertools.pairwise(corners):
            count = int(np.hypot(*(two - one)) // apart) + 2
            found.append(np.linspace(one, two, min(count, 2000)))
    return np.vstack(found)


def _pixels(axes: Axes, path: Any) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):  # what a logarithmic axis has no place for
        places = np.asarray(axes.transData.transform(np.reshape(path, (-1, 2))), float)
    return places[np.isfinite(places).all(axis=1)]  # type: ignore[no-any-return]


def _covered(box: Bbox, places: NDArray[np.float64]) -> int:
    """How many places lie in a box."""
    x, y = places.T
    return int(((box.x0 < x) & (x < box.x1) & (box.y0 < y) & (y < box.y1)).sum())


def _distances(box: Bbox, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each place (N, 2) to the box, in pixels: 0 inside."""
    x, y = places.T
    beside = np.maximum(0, np.maximum(box.x0 - x, x - box.x1))
    above = np.maximum(0, np.maximum(box.y0 - y, y - box.y1))
    return np.asarray(np.hypot(beside, above))


def _nearest(box: Bbox, places: NDArray[np.float64]) -> float:
    return float(_distances(box, places).min(initial=np.inf))


def _out(place: tuple[float, float, str, str], more: float) -> tuple[float, float, str, str]:
    """A place `more` points farther from the point's middle."""
    dx, dy, across, up = place
    return dx + more * ((dx > 0) - (dx < 0)), dy + more * ((dy > 0) - (dy < 0)), across, up


def _placed(note: Annotation, dx: float, dy: float, across: str, up: str, renderer: Any) -> Bbox:
    note.set_position((dx, dy))
    note.set_horizontalalignment(across)  # type: ignore[arg-type]
    note.set_verticalalignment(up)  # type: ignore[arg-type]
    return note.get_window_extent(renderer).padded(0.5)


def _meet(a: Bbox, b: Bbox) -> bool:
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1  # type: ignore[no-any-return]


def floor_line(axes: Axes, floor: float | None) -> None:
    """A dashed line at the value of real images, named where its name covers no mark, no curve and
    no interval; not named where no such place is (captions tell the value).

    Nothing where the line lies out of range.
    """
    if floor is None or not axes.get_ylim()[0] <= floor <= axes.get_ylim()[1]:
        return
    axes.axhline(floor, color=style.QUIET, linewidth=0.8, linestyle=(0, (5, 2)), zorder=1.5)
    figure: Any = axes.get_figure(root=True)
    figure.waiting.append(lambda: _name_floor(axes, floor))


def _name_floor(axes: Axes, floor: float) -> None:
    figure: Any = axes.get_figure(root=True)
    renderer = figure.canvas.get_renderer()
    frame = axes.get_window_extent()
    spots, lines = marks(axes), strokes(axes)
    named: Annotation | None = None
    for side, across in ((1.0, "right"), (0.0, "left"), (0.5, "center")):
        for lift, up in ((1.5, "bottom"), (-1.5, "top")):
            note = axes.annotate(
                f"real images {wording.number(floor)}",
                (side, floor),
                (0, lift),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha=across,
                va=up,
                fontsize=6.6,
                color=style.QUIET,
            )
            note.set_in_layout(False)
            box = note.get_window_extent(renderer)
            inside = frame.y0 <= box.y0 and box.y1 <= frame.y1
            inside = inside and frame.x0 <= box.x0 + 1 and box.x1 <= frame.x1 + 1
            clear = not _covered(box.padded(4), spots) and not _covered(box, lines)
            if inside and clear and named is None:
                named = note
            else:
                note.remove()


def legend(
    axes: Axes, handles: Sequence[Any], names: Sequence[str], most: int = 16, **look: Any
) -> None:
    """One legend above all panels, in as many columns as fit; none where there are too many names.

    A figure with more names than `most` tells them under the pointer and in its table.
    """
    figure: Any = axes.get_figure(root=True)
    if not handles or len(handles) > most:
        return
    words = [short(n) for n in names]
    for columns in range(len(handles), 0, -1):
        made = _legend(figure, handles, words, columns, look)
        width = made.get_window_extent(figure.canvas.get_renderer()).width
        fits = width <= figure.bbox.width - 4 or columns == 1
        even = -(-len(handles) // -(-len(handles) // columns))  # no row of a single name
        if fits and even == columns:
            return
        made.remove()
        if fits:
            _legend(figure, handles, words, even, look)
            return


def _legend(
    figure: Any, handles: Sequence[Any], words: Sequence[str], columns: int, look: dict[str, Any]
) -> Any:
    return figure.legend(
        handles=handles,
        labels=words,
        loc="outside upper center",
        ncols=columns,
        columnspacing=1.0,
        handletextpad=0.4,
        handlelength=1.6,
        **look,
    )
