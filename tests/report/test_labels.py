"""Texts in figures: on nothing, inside the frame, or left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.lines import Line2D

from harness.report import labels, style
from harness.report.figures.marks import Drawing
from harness.report.labels import floor_line, label_points, legend, short, without_the_model


@given(st.text(max_size=80), st.integers(5, 40))
def test_a_short_name_is_no_longer_than_asked_and_keeps_both_ends(text: str, longest: int) -> None:
    made = short(text, longest)
    assert len(made) <= longest
    if len(text) <= longest:
        assert made == text
    else:
        head, _, tail = made.partition("…") if "…" not in text else (made[:1], "", made[-1:])
        assert text.startswith(head) and text.endswith(tail)


def test_a_model_that_all_names_begin_with_is_left_out() -> None:
    assert without_the_model(["D/2 lr 0.1", "D/2 lr 0.2"]) == ["lr 0.1", "lr 0.2"]
    for names in (["D/2", "D/2 lr 0.2"], ["D/2 adaln", "S/2 adaln"], []):
        assert without_the_model(names) == names


@style.styled
def drawing(points, floor=None, avoid=(), limits=(0, 10), radii=()):
    figure, axes = style.canvas(style.COLUMN, 2.3)
    axes.set_xlim(*limits)
    axes.set_ylim(*limits)
    floor_line(axes, floor, [(x, y) for x, y, _ in points])
    label_points(axes, points, avoid, radii=radii)
    return Drawing(figure, None, "")  # type: ignore[arg-type]


def written(made: Drawing) -> dict[str, object]:
    (axes,) = made.figure.axes
    renderer = made.figure.canvas.get_renderer()
    return {t.get_text(): t.get_window_extent(renderer) for t in axes.texts}


def meet(a, b) -> bool:
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1


@pytest.mark.parametrize("seed", range(3))
def test_labels_cover_no_mark_and_no_other_label(seed: int) -> None:
    spots = np.random.default_rng(seed).uniform(0.5, 9.5, (14, 2))
    made = drawing([(x, y, f"XL/{k}") for k, (x, y) in enumerate(spots)])
    found = written(made)
    assert len(found) > 5
    boxes = list(found.values())
    assert not any(meet(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
    (axes,) = made.figure.axes
    marks = axes.transData.transform(spots)
    for box in boxes:
        assert not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for x, y in marks)
        frame = axes.get_window_extent()
        assert frame.x0 <= box.x0 and box.y0 >= frame.y0


def test_where_no_place_is_free_the_label_is_left_out() -> None:
    crowd = [(5 + 0.01 * k, 5 + 0.01 * k, f"name{k}") for k in range(30)]
    assert 0 < len(written(drawing(crowd))) < 30


def test_a_label_gives_way_to_a_curve_where_it_can() -> None:
    alone = written(drawing([(5, 5, "XL/2")]))["XL/2"]
    curve = [(x, 5.0) for x in np.linspace(5.2, 9, 60)]  # where the label would stand
    moved = written(drawing([(5, 5, "XL/2")], avoid=curve))["XL/2"]
    assert (moved.x0, moved.y0) != (alone.x0, alone.y0)


def test_labels_stand_clear_of_larger_marks() -> None:
    near = written(drawing([(5, 5, "XL/2")]))["XL/2"]
    far = written(drawing([(5, 5, "XL/2")], radii=[20.0]))["XL/2"]
    assert far.x0 > near.x0 + 10


def test_the_floor_is_a_named_line_where_it_is_in_range() -> None:
    made = drawing([], floor=2.5)
    assert list(written(made)) == ["real images 2.50"]
    (axes,) = made.figure.axes
    assert [line.get_ydata()[0] for line in axes.get_lines()] == [2.5]
    for outside in (None, 11.0, -1.0):
        made = drawing([], floor=outside)
        assert not written(made) and not made.figure.axes[0].get_lines()


def test_the_floors_name_gives_way_to_points() -> None:
    plain = written(drawing([], floor=5.0))["real images 5.00"]
    crowded = drawing([(x, 5.2, "") for x in np.linspace(6, 10, 20)], floor=5.0)
    moved = written(crowded)["real images 5.00"]
    assert (moved.x0, moved.y0) != (plain.x0, plain.y0)


@style.styled
def named(count: int, most: int = 16, letters: int = 6):
    figure, axes = style.canvas(style.COLUMN, 2.0)
    handles = [Line2D([], []) for _ in range(count)]
    legend(axes, handles, [f"{k}" * letters for k in range(count)], most)
    return Drawing(figure, None, "")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5, 7, 12, 16])
def test_a_legend_fits_its_figure_in_even_rows(count: int) -> None:
    (made,) = named(count).figure.legends
    width = made.get_window_extent(named(count).figure.canvas.get_renderer()).width
    assert width <= style.COLUMN * named(count).figure.dpi
    columns = made._ncols
    rows = -(-count // columns)
    assert rows == 1 or columns * rows - count < columns - 1 or columns <= 2


def test_more_names_than_fit_have_no_legend() -> None:
    assert not named(17).figure.legends and not named(0).figure.legends
    assert named(3, most=3).figure.legends


def test_long_names_are_shortened() -> None:
    (made,) = named(1, letters=80).figure.legends
    assert len(made.get_texts()[0].get_text()) <= labels.LONGEST
