"""One look: same bytes each time, points that say what they are, axes with few plain ticks."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report import style


@style.styled
def made(texts=("one", "two", "three")):
    figure, axes = style.canvas(style.COLUMN, 1.5)
    (line,) = axes.plot(range(len(texts)), range(len(texts)), marker="o")
    style.say(line, texts)
    return type("Made", (), {"figure": figure})()


@pytest.mark.slow
def test_a_figure_is_the_same_bytes_each_time_and_leaves_matplotlib_alone() -> None:
    before = dict(matplotlib.rcParams)
    assert style.svg(made().figure) == style.svg(made().figure)
    assert style.png(made().figure) == style.png(made().figure)
    assert dict(matplotlib.rcParams) == before


def test_each_point_says_its_own_text_and_nothing_else_does() -> None:
    texts = ["a < b", "c & d", '"e"']
    svg = style.svg(made(texts).figure).decode()
    titles = [e.text for e in ET.fromstring(svg).iter() if e.tag.endswith("title")]
    assert titles == texts  # escaped, so that the picture is still XML


def said(svg: str, gid: str) -> list[str | None]:
    """What the marks of one group say under the pointer."""
    (group,) = [e for e in ET.fromstring(svg).iter() if e.get("id") == gid]
    return [e.text for e in group.iter() if e.tag.endswith("title")]


def test_a_mark_that_is_no_copy_says_its_own_text_and_leaves_others_theirs() -> None:
    """A hatched disc is a path of its own: its text stood at the next disc."""

    @style.styled
    def discs():
        figure, axes = style.canvas(style.COLUMN, 1.5)
        for x, hatch in ((1, "////"), (2, None)):
            style.say(axes.scatter(x, x, s=90, hatch=hatch), [f"disc {x}"])
        return type("Made", (), {"figure": figure})()

    svg = style.svg(discs().figure).decode()
    assert [said(svg, f"said{i}") for i in (0, 1)] == [["disc 1"], ["disc 2"]]
    assert svg.count("<title>") == 2


def test_where_a_mark_is_not_drawn_no_other_says_its_text() -> None:
    @style.styled
    def holed():
        figure, axes = style.canvas(style.COLUMN, 1.5)
        (line,) = axes.plot([1, 2, 3], [1, np.nan, 3], marker="o")
        style.say(line, ["one", "two", "three"])
        return type("Made", (), {"figure": figure})()

    assert "<title>" not in style.svg(holed().figure).decode()


@pytest.mark.slow
def test_the_page_sets_the_text_in_its_own_face() -> None:
    figure = made().figure
    figure.axes[0].set_title("Fréchet")
    svg = style.svg(figure).decode()
    assert style.PAGE_FACE in svg and style.MEASURED_FACE not in svg and "Fréchet" in svg


def test_dollar_signs_are_no_formula() -> None:
    figure = made().figure
    with matplotlib.rc_context(style.SETTINGS):
        figure.axes[0].set_title("$x$")
        assert "$x$" in style.svg(figure).decode()


def test_what_waits_is_placed_once_the_layout_is_known() -> None:
    placed = []

    @style.styled
    def drawn():
        figure, _ = style.canvas(1, 1)
        figure.waiting.append(lambda: placed.append(True))
        return type("Made", (), {"figure": figure})()

    result = drawn()
    assert placed == [True] and result.figure.waiting == []


def test_models_are_told_apart_by_size_and_patch_also_without_colour() -> None:
    sizes, patches = list(style.SIZE_COLOURS), list(style.PATCH_MARKERS)
    looks = {
        (s, p): style.look({"size": s, "patch_size": p})
        for s, p in itertools.product(sizes, patches)
    }
    assert len({(v["color"], v["marker"]) for v in looks.values()}) == len(looks)
    assert len({looks["S", p]["marker"] for p in patches}) == len(patches)
    unknown = style.look({"size": None, "patch_size": 3}, 1)
    assert unknown["color"] == style.OTHER_COLOURS[1] and unknown["marker"] == "D"
    assert style.colour("X", 7) == style.OTHER_COLOURS[7 % len(style.OTHER_COLOURS)]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.floats(1e-6, 1e9), st.floats(1.0, 1e7))
def test_a_log_axis_has_two_to_eight_ticks_within_its_limits(low: float, ratio: float) -> None:
    _, axes = style.canvas(2, 2)
    style.log_axis(axes.xaxis, [low, low * ratio])
    left, right = axes.get_xlim()
    ticks = np.array(axes.get_xticks())
    assert left < low and right > low * ratio
    assert 2 <= len(ticks) <= 10
    assert (ticks >= left * (1 - 1e-9)).all() and (ticks <= right * (1 + 1e-9)).all()
    texts = [t.get_text() for t in axes.get_xticklabels()]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.001, "0.001"), (0.5, "0.5"), (3, "3"), (10_000, "10,000"), (1e5, "10⁵"), (3e-4, "3×10⁻⁴")],
)
def test_ticks_are_plain_in_between_and_powers_beyond(value: float, text: str) -> None:
    assert style.tick_text(value) == text


@pytest.mark.parametrize("values", [[0.0, 4.0, 30.0], [0.0, -1.0], [], [float("inf"), 2.0]])
def test_a_log_axis_has_no_place_for_nothing_and_is_drawn_all_the_same(values) -> None:
    _, axes = style.canvas(style.COLUMN, 1.5)
    style.log_axis(axes.xaxis, values)
    low, high = axes.get_xlim()
    assert 0 < low < high < 100
