"""Texts in figures: on nothing, inside the frame, or left out."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.lines import Line2D

from harness.report import labels, style
from harness.report.figures.marks import Drawing
from harness.report.labels import (
    floor_line,
    in_lines,
    label_points,
    legend,
    short,
    strokes,
    without_the_model,
)


@pytest.mark.slow
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
def drawing(points, floor=None, limits=(0, 10), radii=(), curve=(), bars=(), marks=(), beside=()):
    figure, axes = style.canvas(style.COLUMN, 2.3)
    axes.plot([x for x, _ in curve], [y for _, y in curve])
    axes.plot([x for x, _ in marks], [y for _, y in marks], "o")
    for x, low, high in bars:
        axes.errorbar(x, (low + high) / 2, yerr=(high - low) / 2)
    axes.set_xlim(*limits)
    axes.set_ylim(*limits)
    floor_line(axes, floor)
    label_points(axes, points, radii=radii, beside=beside)
    return Drawing(figure, None, "")  # type: ignore[arg-type]


def written(made: Drawing) -> dict[str, object]:
    (axes,) = made.figure.axes
    renderer = made.figure.canvas.get_renderer()
    return {t.get_text(): t.get_window_extent(renderer) for t in axes.texts}


def meet(a, b) -> bool:
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1


@pytest.mark.slow
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


@pytest.mark.slow
def test_where_no_place_is_free_the_label_is_left_out() -> None:
    crowd = [(5 + 0.01 * k, 5 + 0.01 * k, f"name{k}") for k in range(30)]
    assert 0 < len(written(drawing(crowd))) < 30


@pytest.mark.slow
def test_a_label_gives_way_to_a_curve_where_it_can() -> None:
    alone = written(drawing([(5, 5, "XL/2")]))["XL/2"]
    moved = written(drawing([(5, 5, "XL/2")], curve=[(5, 5), (9, 5)]))["XL/2"]
    assert (moved.x0, moved.y0) != (alone.x0, alone.y0)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_label_stands_on_no_interval_where_a_place_is_free(side: int) -> None:
    """Bars through a label: of the point itself, and of a neighbour where the label would stand."""
    bars = [(5, 2, 8), (5 + side * 0.6, 2, 8)]
    made = drawing([(5, 5, "XL/2")], bars=bars)
    (axes,) = made.figure.axes
    box = written(made)["XL/2"]
    for x, low, high in bars:
        (at, _), (_, bottom), (_, top) = axes.transData.transform([(x, 5), (x, low), (x, high)])
        assert not (box.x0 < at < box.x1 and box.y0 < top and bottom < box.y1)


def test_amid_many_curves_no_label_is_written() -> None:
    sheaf = [(x, 10.0 * (k % 2)) for k, x in enumerate(np.linspace(0, 10, 120))]
    assert not written(drawing([(5, 5, "DiT-micro-B-13x176x4/4")], curve=sheaf))


@pytest.mark.slow
def test_labels_stand_clear_of_larger_marks() -> None:
    near = written(drawing([(5, 5, "XL/2")]))["XL/2"]
    far = written(drawing([(5, 5, "XL/2")], radii=[20.0]))["XL/2"]
    assert far.x0 > near.x0 + 10


@pytest.mark.slow
def test_the_floors_name_covers_no_mark_and_is_left_out_where_it_would() -> None:
    right = [(x, 9.4) for x in (6, 7, 8, 9)]
    made = drawing([], floor=9.8, marks=right)
    (axes,) = made.figure.axes
    ((name, box),) = written(made).items()
    assert name == "real images 9.80"
    spots = axes.transData.transform(right)
    assert not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for x, y in spots)
    everywhere = [(x, 9.4) for x in np.arange(0, 10, 0.5)]
    assert not written(drawing([], floor=9.8, marks=everywhere))


def test_the_floors_name_gives_way_to_a_curve_where_it_can() -> None:
    made = drawing([], floor=5.0, curve=[(4, 5.2), (10, 5.2)])
    (axes,) = made.figure.axes
    ((_, box),) = written(made).items()
    places = strokes(axes)
    assert len(places) > 20 and np.hypot(*np.diff(places, axis=0).T).max() <= 3.1
    assert not ((box.x0 < places[:, 0]) & (places[:, 0] < box.x1)
                & (box.y0 < places[:, 1]) & (places[:, 1] < box.y1)).any()  # fmt: skip


@pytest.mark.slow
def test_the_floors_name_stands_on_no_interval() -> None:
    """Where bars leave it no place it is not written: the caption tells the value."""
    bars = [(x, 4.0, 6.0) for x in np.arange(0.2, 10, 0.4)]
    assert not written(drawing([], floor=5.0, bars=bars))
    few = drawing([], floor=5.0, bars=[(9.0, 4.0, 6.0), (8.5, 4.0, 6.0)])
    (axes,) = few.figure.axes
    ((_, box),) = written(few).items()
    at = axes.transData.transform([(8.5, 5.0), (9.0, 5.0)])[:, 0]
    assert not ((box.x0 < at) & (at < box.x1)).any()


def test_a_label_between_intervals_stands_on_none() -> None:
    """Each nearer place is crossed by a bar: a farther one is taken."""
    bars = [(5.0, 1.0, 9.0), (5.25, 4.4, 5.6), (4.75, 4.4, 5.6)]
    made = drawing([(5, 5, "XL/2")], bars=bars)
    (axes,) = made.figure.axes
    box, places = written(made)["XL/2"], strokes(axes)
    assert not ((box.x0 < places[:, 0]) & (places[:, 0] < box.x1)
                & (box.y0 < places[:, 1]) & (places[:, 1] < box.y1)).any()  # fmt: skip


@pytest.mark.slow
def test_the_floor_is_a_named_line_where_it_is_in_range() -> None:
    made = drawing([], floor=2.5)
    assert list(written(made)) == ["real images 2.50"]
    (axes,) = made.figure.axes
    assert axes.get_lines()[-1].get_ydata()[0] == 2.5
    for outside in (None, 11.0, -1.0):
        made = drawing([], floor=outside)
        assert not written(made) and len(made.figure.axes[0].get_lines()) == 2


@pytest.mark.slow
def test_the_floors_name_gives_way_to_points() -> None:
    plain = written(drawing([], floor=5.0))["real images 5.00"]
    crowded = drawing([], floor=5.0, marks=[(x, 5.2) for x in np.linspace(6, 10, 20)])
    moved = written(crowded)["real images 5.00"]
    assert (moved.x0, moved.y0) != (plain.x0, plain.y0)


@given(st.text("ab-_ /,.1", max_size=40), st.integers(1, 20))
def test_a_name_in_lines_is_the_whole_name(name: str, letters: int) -> None:
    lines = in_lines(name, letters).split("\n")
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    assert all(len(x) <= letters or not re.search(r"[-_ ,/]+(?=[^-_ ,/])", x) for x in lines)


@style.styled
def ticks(names, panels=1):
    figure, axes = style.canvas(style.WIDE, 1.9, ncols=panels, squeeze=False)
    labels.name_ticks(axes[0][0], names)
    return Drawing(figure, None, "")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        ("0", "0.5"),
        ("cross-attention", "in-context", "adaln"),
        ("warmup 500, cosine to 0.1", "constant", "wsd, decay 20 %", "cosine"),
        ("aVeryLongNameWithoutAnyBreak", "another_of_the_same_kind", "x", "y", "z"),
    ],
)
def test_names_of_levels_are_whole_and_do_not_meet(names) -> None:
    made = ticks(names, panels=3)
    made.figure.draw_without_rendering()
    found = made.figure.axes[0].get_xticklabels()
    letters = [t.get_text().replace("\n", "").replace(" ", "") for t in found]
    assert letters == [name.replace(" ", "") for name in names]
    boxes = [t.get_window_extent(made.figure.canvas.get_renderer()) for t in found]
    assert all(a.x1 <= b.x0 for a, b in itertools.pairwise(boxes))
    frame = made.figure.bbox
    assert all(box.x0 >= frame.x0 and box.y0 >= frame.y0 for box in boxes)


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


def test_a_label_is_not_written_across_a_bar_that_it_cannot_avoid() -> None:
    """A name behind an error bar could not be read: the legend and the table name the point."""
    fence = [(x, 0.5, 9.5) for x in np.arange(0.3, 10, 0.35)]
    assert not written(drawing([(5, 5, "XL/2")], bars=fence))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_label_is_nearer_to_another_point_than_to_its_own(seed: int) -> None:
    spots = np.random.default_rng(seed).uniform(3.5, 6.5, (12, 2))
    made = drawing([(x, y, f"XL/{k}") for k, (x, y) in enumerate(spots)])
    (axes,) = made.figure.axes
    places = axes.transData.transform(spots)
    for name, box in written(made).items():
        apart = labels._distances(box, places)
        assert apart[int(name[3:])] <= apart.min() + 3, name


@pytest.mark.slow
def test_two_points_of_one_name_have_one_label_which_may_stand_at_either() -> None:
    """About the first there are others, so that a label would be read as theirs."""
    others = [(x, y, f"o{x}{y}") for x in (4.5, 5.5) for y in (4.5, 5.0, 5.5)] + [(5, 4.5, "o")]
    twin = (5, 5.8, "XL/2")
    names = [t.get_text() for t in drawing([(5, 5, "XL/2")], beside=[twin]).figure.axes[0].texts]
    assert names == ["XL/2"]
    assert "XL/2" not in written(drawing([(5, 5, "XL/2"), *others, (*twin[:2], "o2")]))
    made = drawing([(5, 5, "XL/2"), *others], beside=[twin])
    _, height = made.figure.axes[0].transData.transform(twin[:2])
    assert written(made)["XL/2"].y0 > height
