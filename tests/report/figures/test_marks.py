"""Marks that all figures share: intervals, hollow points, legends, axes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from drawings import MODELS, hover, legend, lines, rows

from harness.report import style
from harness.report.figures import marks
from harness.report.figures.marks import OTHER, Drawing


def panel():
    return style.canvas(style.COLUMN, 2)


def test_a_point_has_its_interval_and_says_both() -> None:
    figure, axes = panel()
    one = rows([("S", 2, 6.0)], value=20.0, low=18.0, high=23.0)
    drawn = marks.points(axes, one, "gflops", "G")
    assert sorted(drawn) == [18.0, 20.0, 23.0]
    (bar,) = axes.containers
    _, (lower, upper), _ = bar.lines
    assert (lower.get_ydata()[0], upper.get_ydata()[0]) == (18.0, 23.0)
    assert hover(figure) == ["DiT-S/2: 20 [18, 23] at 6.00 G"]


def test_without_an_interval_there_is_no_bar() -> None:
    figure, axes = panel()
    drawn = marks.points(axes, rows([("S", 2, 6.0)], low=math.nan, high=math.nan), "gflops", "G")
    assert not axes.containers and len(drawn) == 1
    assert "[" not in hover(figure)[0]


def test_a_model_that_did_not_learn_is_hollow_with_a_cross_and_anothers_number_is_open() -> None:
    _, axes = panel()
    one = rows([("S", 2, 6.0), ("B", 2, 23.0), ("XL", 2, 118.0)])
    one["learned"] = pd.Series([False, True, None], dtype=object)
    one[OTHER] = [None, None, "the paper"]
    marks.points(axes, one, "gflops", "G")
    faces = [line.get_markerfacecolor() for line in axes.get_lines() if line.get_marker() == "o"]
    assert faces[0] == "white" and faces[2] == "none" and faces[1] not in ("white", "none")
    assert [line.get_marker() for line in axes.get_lines()].count("x") == 1


def test_models_without_a_size_have_one_colour_be_they_ours_or_anothers() -> None:
    _, axes = panel()
    ours = rows(MODELS[:3], size=None)
    theirs = ours.iloc[::-1].assign(**{OTHER: "Lab B"})
    marks.points(axes, pd.concat([ours, theirs], ignore_index=True), "gflops", "G")
    made = [line.get_color() for line in axes.get_lines() if line.get_gid()]
    assert made[:3] == made[:2:-1] and len(set(made)) == 3


def test_a_line_is_in_order_with_a_band_where_intervals_are_known() -> None:
    _, axes = panel()
    curve = rows([("S", 2, 6.0)] * 3, step=[30, 10, 20], value=[1.0, 3.0, 2.0])
    curve = curve.assign(low=[0.5, math.nan, 1.5], high=[1.5, math.nan, 2.5])
    marks.line(axes, curve, "step", "steps", {"color": "#000000"})
    assert lines(axes) == [([10, 20, 30], [3.0, 2.0, 1.0])]
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == 0.5 and heights.max() == 3.0  # no interval: the value itself
    _, bare = panel()
    marks.line(bare, curve.assign(low=math.nan, high=math.nan), "step", "s", {"color": "#000000"})
    assert not bare.collections


def test_names_tell_models_apart_by_size_and_patch_or_not_at_all() -> None:
    assert marks.names_tell(rows())
    assert not marks.names_tell(rows(size=None))
    twice = pd.concat([rows(), rows(label="another")])
    assert not marks.names_tell(twice)
    parts = pd.concat([rows(group="a"), rows(group="b", label=[f"{m} b" for m in rows()["label"]])])
    assert marks.names_tell_within(parts)  # each group has an axis of its own
    assert [name for name, _ in marks.groups(parts)] == ["a", "b"]
    assert marks.groups(rows(group="one"))[0][0] == ""  # a single group needs no name


def test_looks_are_by_name_where_that_tells_and_else_in_turn() -> None:
    told = marks.looks(rows())
    assert told["DiT-S/4"]["color"] == told["DiT-S/2"]["color"] == style.colour("S")
    assert told["DiT-S/4"]["marker"] != told["DiT-S/2"]["marker"]
    custom = marks.looks(rows(size=None, label=list("abcde")))
    assert len({(v["color"], v["marker"]) for v in custom.values()}) == len(MODELS)


def test_one_legend_has_sizes_patches_and_what_hollow_means() -> None:
    figure, axes = panel()
    one = rows(**{OTHER: [None, None, None, None, "the paper"]})
    one["learned"] = pd.Series([False, None, None, None, None], dtype=object)
    marks.keys(axes, one)
    assert legend(figure) == ["S", "B", "XL", "/4", "/2", "did not learn", "the paper"]
    figure, axes = panel()
    marks.keys(axes, rows(size=None, label=list("abcde")))
    assert legend(figure) == list("abcde")


def test_sizes_are_in_the_zoos_order_with_others_behind() -> None:
    assert marks.by_size(["XL", "S", "Q", "B", "A"]) == ["S", "B", "XL", "A", "Q"]


def test_short_labels_are_size_and_patch_where_these_say_it() -> None:
    assert marks.short_label({"size": "XL", "patch_size": 2.0, "label": "DiT-XL/2 lr 1"}) == "XL/2"
    assert marks.short_label({"size": None, "patch_size": 2, "label": "mine"}) == "mine"
    assert marks.short_label({"size": "B", "patch_size": pd.NA, "label": "UNet-B"}) == "UNet-B"


def test_quality_starts_at_zero_and_is_logarithmic_over_large_ranges() -> None:
    _, axes = panel()
    marks.quality_axis(axes, [5.0, 20.0, math.nan], 30.0)
    low, high = axes.get_ylim()
    assert low == 0 and high > 30 and axes.get_yscale() == "linear"  # the floor is in range
    _, axes = panel()
    marks.quality_axis(axes, [5.0, 100.0], None)
    assert axes.get_yscale() == "log"
    _, axes = panel()
    marks.quality_axis(axes, [-0.002, 0.1], None)  # a kernel distance may be negative
    assert axes.get_ylim()[0] < -0.002 and axes.get_yscale() == "linear"
    _, axes = panel()
    marks.quality_axis(axes, [0.0, 0.0], None)  # a share of none: no axis of 1e-12
    assert axes.get_ylim()[0] == 0 and 1 <= axes.get_ylim()[1] < 1.2
    _, axes = panel()
    before = axes.get_ylim()
    marks.quality_axis(axes, [math.nan], None)
    assert axes.get_ylim() == before


def test_steps_begin_at_zero_and_thousands_are_k() -> None:
    _, axes = panel()
    marks.step_axis(axes, 400_000)
    assert axes.get_xlim()[0] == 0
    assert axes.xaxis.get_major_formatter()(200_000, 0) == "200K"
    assert axes.xaxis.get_major_formatter()(0, 0) == "0"
    _, axes = panel()
    marks.step_axis(axes, 1500)
    assert axes.xaxis.get_major_formatter()(1500, 0) == "1,500"


def test_an_axis_holds_values_and_the_ends_of_intervals() -> None:
    one = rows([("S", 2, 6.0)], value=2.0, low=1.0, high=np.inf)
    assert marks.limits(one) == [2.0, 1.0]
    assert marks.limits(one[["value"]]) == [2.0]


@pytest.mark.parametrize(
    ("count", "down", "width"), [(1, 1, "COLUMN"), (4, 1, "WIDE"), (6, 2, "WIDE")]
)
def test_panels_are_in_rows_and_none_is_empty(count: int, down: int, width: str) -> None:
    figure, axes = marks.grid(count, 2.0)
    assert len(axes) == len(figure.axes) == count
    assert figure.get_figheight() == 2.0 * down
    assert figure.get_figwidth() == getattr(style, width)
    assert Drawing(figure, pd.DataFrame(), "").wide == (count > 1)
