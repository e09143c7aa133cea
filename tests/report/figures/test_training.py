"""Figures 5, 6 and 13: which panels, whose lines, and the last losses in words."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from drawings import MODELS, hover, legend, lines, over, rows

from harness.report import style
from harness.report.figures.training import blocks, loss, panels_by, training

STEPS = [100, 200, 400]


def titles(drawing) -> list[str]:
    return [axes.get_title(loc="left") for axes in drawing.figure.axes]


def test_panels_are_by_patch_above_and_by_size_below() -> None:
    drawing = training(over("step", STEPS), "FID", "FID")
    assert titles(drawing) == ["patch size 4", "patch size 2", "size S", "size B", "size XL"]
    assert [len(lines(axes)) for axes in drawing.figure.axes] == [3, 2, 2, 2, 1]
    assert lines(drawing.figure.axes[0])[0][0] == STEPS
    assert drawing.alt.startswith("FID at training steps 100 to 400 of DiT-S/4, DiT-S/2")
    assert len(drawing.data) == len(MODELS) * len(STEPS)


def test_what_does_not_vary_has_no_panels() -> None:
    curves = over("step", STEPS)
    assert panels_by(curves) == ["patch_size", "size"]
    assert panels_by(curves[curves["patch_size"] == 4]) == ["patch_size"]
    assert panels_by(curves[curves["size"] == "S"]) == ["size"]
    assert panels_by(curves.assign(size=None)) == []
    assert titles(training(curves[curves["size"] == "S"], "FID", "FID")) == ["size S"]


@pytest.mark.slow
def test_settings_that_do_not_compare_have_a_panel_each() -> None:
    both = pd.concat(
        [over("step", STEPS, group=g, label=[f"{m} {g}" for m in over("step", STEPS)["label"]])
         for g in ("lr 1", "lr 2")]
    )  # fmt: skip
    drawing = training(both, "FID", "FID", floor=1.0)
    assert titles(drawing) == ["lr 1", "lr 2"]
    assert all(len(lines(axes)) == len(MODELS) + 1 for axes in drawing.figure.axes)  # and the floor


def designs() -> pd.DataFrame:
    parts = [
        over("step", STEPS, [("XL", 2, 118.0)], block=block, label=f"DiT-XL/2 {block}")
        for block in ("adaln-zero", "in-context", "mine")
    ]
    return pd.concat(parts, ignore_index=True)


def test_block_designs_are_told_by_colour_and_by_dash() -> None:
    drawing = blocks(designs(), "FID")
    (axes,) = drawing.figure.axes
    first, second, third = axes.get_lines()
    assert first.get_color() == style.BLOCK_COLOURS["adaln-zero"]
    assert second.get_color() == style.BLOCK_COLOURS["in-context"]
    assert first.get_linestyle() != second.get_linestyle()
    assert third.get_color() in style.OTHER_COLOURS
    assert legend(drawing.figure) == ["adaln-zero", "in-context", "mine"]
    assert axes.get_title(loc="left") == ""  # one model needs no name above


def test_several_models_of_block_designs_have_panels() -> None:
    small = [
        over("step", STEPS, [("S", 2, 6.0)], block=block, label=f"DiT-S/2 {block}")
        for block in ("adaln-zero", "in-context")
    ]
    drawing = blocks(pd.concat([designs(), *small], ignore_index=True), "FID")
    assert titles(drawing) == ["DiT-XL/2", "DiT-S/2"]


def test_image_sizes_of_one_model_have_panels_of_their_own() -> None:
    """They were drawn on one axis: another image size is another network, and another number."""
    found = pd.concat([designs().assign(image_size=side) for side in (256, 512)], ignore_index=True)
    drawing = blocks(found, "FID")
    assert titles(drawing) == ["DiT-XL/2, 256²", "DiT-XL/2, 512²"]
    assert all(len(lines(axes)) == 3 for axes in drawing.figure.axes)


def test_records_without_an_image_size_keep_their_panels_and_their_order() -> None:
    found = pd.concat(
        [
            designs().assign(image_size=512, model="z"),
            designs().assign(image_size=None, model="b"),
            designs().assign(image_size=256, model="a"),
        ],
        ignore_index=True,
    )
    assert titles(blocks(found, "FID")) == ["z, 512²", "b", "a, 256²"]


def test_models_of_one_design_take_no_panel_from_those_of_several() -> None:
    """Eight models of one design were drawn, and not that of four."""
    others = [over("step", STEPS, [(size, patch, 6.0)], block="adaln-zero")
              for size in ("S", "B", "L") for patch in (8, 4, 2)]  # fmt: skip
    drawing = blocks(pd.concat([*others, designs()], ignore_index=True), "FID")
    assert len(drawing.figure.axes) == 1
    assert legend(drawing.figure) == ["adaln-zero", "in-context", "mine"]
    alone = blocks(pd.concat(others[:2], ignore_index=True), "FID")
    assert len(alone.figure.axes) == 2


def losses(**columns) -> pd.DataFrame:
    return over("step", range(10, 310, 10), **columns)


@pytest.mark.slow
def test_losses_are_in_order_of_steps_and_the_last_are_said() -> None:
    shuffled = losses().sample(frac=1, random_state=0)
    drawing = loss(shuffled)
    (axes,) = drawing.figure.axes
    for x, _ in lines(axes):
        assert x == sorted(x) and len(x) == 30
    last = losses()
    last = last[(last["step"] == 300) & (last["label"] == "DiT-XL/4")]["value"].iloc[0]
    assert f"DiT-XL/4 {last:.3g}" in drawing.alt
    assert axes.get_yscale() == "log"


@pytest.mark.slow
def test_each_mark_of_a_loss_says_its_model_step_and_value() -> None:
    drawing = loss(losses())
    drawn = style.svg(drawing.figure).decode()
    for text in hover(drawing.figure):
        assert text in drawn
    assert any(", step " in text for text in hover(drawing.figure))


def test_losses_that_are_not_positive_are_on_a_plain_axis() -> None:
    below = losses()
    below["value"] = below["value"] - 30
    (axes,) = loss(below[["label", "group", "size", "patch_size", "step", "value"]]).figure.axes
    assert axes.get_yscale() == "linear" and math.isfinite(axes.get_ylim()[0])
    assert len(rows()) == len(lines(axes))


def test_a_design_trained_in_several_ways_has_one_name_in_all_panels() -> None:
    """Each panel's lines were named by their whole labels, cut about the middle, once per model."""
    parts = [
        over("step", [100, 200], [model], label=f"DiT-{model[0]}/{model[1]} {way}", block=block)
        for model in MODELS[:3]
        for way, block in (
            ("adaln-zero, 16 px", "adaln-zero"),
            ("adaln-zero, 8 px", "adaln-zero"),
            ("in-context, 8 px", "in-context"),
        )
    ]
    drawing = blocks(pd.concat(parts, ignore_index=True), "FID")
    assert legend(drawing.figure) == ["adaln-zero, 16 px", "adaln-zero, 8 px", "in-context"]
    curves = [line for line in drawing.figure.axes[0].get_lines() if len(line.get_xdata()) == 2]
    drawn = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in curves}
    assert len({colour for colour, _, _ in drawn}) == len(drawn) == 3
