"""Texts in a figure that lie on nothing: point labels, the floor's name, legends that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

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
)  # offsets in points
LONGEST = 30  # letters of a name in a figure; tables have it whole


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


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    avoid: Sequence[tuple[float, float]] = (),
    ink: str = style.INK,
    radii: Sequence[float] = (),
) -> None:
    """Write each (x, y, text) beside its point where it covers nothing, once the layout is known.

    `avoid`: points of a curve to keep clear of where there is room. `radii`: of the marks
    in points (3 where not given). A label for which no place is
    free is left out: the value under the pointer and the table name it.
    """
    figure: Any = axes.get_figure(root=True)
    reach = list(radii) or [3.0] * len(points)
    figure.waiting.append(lambda: _label(axes, points, avoid, ink, reach))


def _label(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    avoid: Sequence[tuple[float, float]],
    ink: str,
    radii: Sequence[float],
) -> None:
    figure: Any = axes.get_figure(root=True)
    scale = figure.dpi / 72
    renderer = figure.canvas.get_renderer()
    frame = axes.get_window_extent()
    solid = [t.get_window_extent(renderer) for t in axes.texts if t.get_text()]
    for (x, y, _), radius in zip(points, radii, strict=True):
        px, py = axes.transData.transform((x, y))
        side = radius * scale
        solid.append(Bbox.from_bounds(px - side, py - side, 2 * side, 2 * side))
    soft = []
    for x, y in avoid:
        px, py = axes.transData.transform((x, y))
        soft.append(Bbox.from_bounds(px - scale, py - scale, 2 * scale, 2 * scale))
    for (x, y, text), radius in zip(points, radii, strict=True):
        places = [_out(place, radius - 3) for place in PLACES]
        note = axes.annotate(
            short(text), (x, y), (0, 0), textcoords="offset points", fontsize=6.8, color=ink
        )
        note.set_in_layout(False)
        options = []
        for order, (dx, dy, across, up) in enumerate(places):
            box = _placed(note, dx, dy, across, up, renderer)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 + 2 * scale
            inside = inside and frame.y0 <= box.y0 and box.y1 <= frame.y1 + 4 * scale
            if inside and not any(_meet(box, other) for other in solid):
                options.append((sum(_meet(box, other) for other in soft), order, box))
        if not options:
            note.remove()
            continue
        _, order, box = min(options, key=lambda o: o[:2])
        _placed(note, *places[order], renderer)
        solid.append(box)


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


def floor_line(axes: Axes, floor: float | None, points: Sequence[tuple[float, float]]) -> None:
    """A dashed line at the value of real images, named where its name covers no point.

    Nothing where the line lies out of range.
    """
    if floor is None or not axes.get_ylim()[0] <= floor <= axes.get_ylim()[1]:
        return
    axes.axhline(floor, color=style.QUIET, linewidth=0.8, linestyle=(0, (5, 2)), zorder=1.5)
    figure: Any = axes.get_figure(root=True)
    figure.waiting.append(lambda: _name_floor(axes, floor, points))


def _name_floor(axes: Axes, floor: float, points: Sequence[tuple[float, float]]) -> None:
    figure: Any = axes.get_figure(root=True)
    renderer = figure.canvas.get_renderer()
    frame = axes.get_window_extent()
    spots = [axes.transData.transform(p) for p in points]
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
            around = box.padded(3)
            inside = frame.y0 <= box.y0 and box.y1 <= frame.y1
            inside = inside and frame.x0 <= box.x0 + 1 and box.x1 <= frame.x1 + 1
            if inside and not any(around.contains(x, y) for x, y in spots):
                return
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
