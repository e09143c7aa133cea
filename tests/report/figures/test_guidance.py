"""Quality against guidance scale: a line per model and way of guiding."""

from __future__ import annotations

import math

import pandas as pd
from drawings import hover, legend, lines, over

from harness.report import style
from harness.report.figures.guidance import guidance

SCALES = [1.0, 1.5, 4.0]


def given(models=(("XL", 2, 118.0),), ways=("3 channels", "all channels")) -> pd.DataFrame:
    parts = [over("guidance_scale", SCALES, models, channels=way) for way in ways]
    return pd.concat(parts, ignore_index=True)


def test_ways_of_guiding_one_model_are_told_by_dash_and_marker() -> None:
    drawing = guidance(given().sample(frac=1, random_state=0), "FID")
    (axes,) = drawing.figure.axes
    both = [line for line in axes.get_lines() if line.get_gid()]  # not the caps of intervals
    assert sorted(legend(drawing.figure)) == ["3 channels", "all channels"]
    assert len({line.get_linestyle() for line in both}) == len({x.get_marker() for x in both}) == 2
    assert all(x == SCALES for x, _ in lines(axes))
    assert {line.get_color() for line in both} == {style.colour("XL")}


def test_several_models_are_named_and_coloured() -> None:
    drawing = guidance(given([("S", 2, 6.0), ("XL", 2, 118.0)], ["3 channels"]), "FID")
    assert legend(drawing.figure) == ["DiT-S/2, 3 channels", "DiT-XL/2, 3 channels"]
    custom = given([("S", 2, 6.0), ("XL", 2, 118.0)], ["3 channels"]).assign(size=None)
    colours = {line.get_color() for line in guidance(custom, "FID").figure.axes[0].get_lines()
               if len(line.get_xdata()) == 3}  # fmt: skip
    assert len(colours) == 2


def test_what_all_names_begin_with_is_left_out_of_the_legend() -> None:
    rows = [given(ways=["all channels"]).assign(label=f"DiT-XL/2 {block}")
            for block in ("cross-attention", "adaln-zero")]  # fmt: skip
    drawing = guidance(pd.concat(rows), "FID")
    assert legend(drawing.figure) == ["cross-attention, all channels", "adaln-zero, all channels"]


def test_points_without_an_interval_have_no_bar() -> None:
    some = given(ways=["3 channels"])
    some.loc[1, ["low", "high"]] = math.nan
    (axes,) = guidance(some, "FID").figure.axes
    (bars,) = axes.containers
    assert len(bars.lines[2][0].get_segments()) == 2
    (axes,) = guidance(some.assign(low=math.nan, high=math.nan), "FID").figure.axes
    assert not axes.containers


def test_its_numbers_and_its_words() -> None:
    drawing = guidance(given(), "FID", floor=1.0)
    assert drawing.data.columns.tolist() == [
        "label", "channels", "guidance_scale", "value", "low", "high",
    ]  # fmt: skip
    assert len(drawing.data) == 6 and "3 channels" in drawing.alt
    assert "at 1.00 scale" in hover(drawing.figure)[0]
