"""The grid of samples: places by name, whole pixels, refusals."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from harness.errors import BadInput
from harness.report.blocks import plain
from harness.report.mosaic import COLUMNS, THUMBNAIL, milestones, mosaic


def images(n=4, size=8, value=0, channels=3):
    return np.full((n, size, size, channels), value, np.uint8)


def test_rows_are_patch_sizes_and_columns_sizes_whatever_the_order():
    names = ("DiT-micro-XL/2", "DiT-micro-S/8", "DiT-micro-S/2")
    block = mosaic({name: images() for name in names})
    assert list(block.columns) == ["size S", "size XL"]
    assert [name for name, _ in block.rows] == ["patch 8", "patch 2"]
    assert [[bool(c) for c in line] for _, line in block.rows] == [[True, False], [True, True]]


def test_of_several_seeds_the_first_is_shown():
    block = mosaic({"DiT-S/2 seed=1": images(value=9), "DiT-S/2 seed=2": images(value=200)})
    ((cell,),) = [line for _, line in block.rows]
    assert list(block.images) == [cell]
    assert np.asarray(Image.open(io.BytesIO(block.images[cell])))[0, 0, 0] == 9


def test_runs_that_differ_in_more_have_a_cell_each():
    block = mosaic({"DiT-XL/2": images(), "DiT-XL/2 model.block=in-context": images()})
    assert list(block.columns) == ["DiT-XL/2", "DiT-XL/2 in-context"]
    five = mosaic({f"DiT-XL/2 train.learning_rate={n}": images() for n in range(5)})
    assert [len(line) for _, line in five.rows] == [4, 4] and five.rows[1][1][1:] == [""] * 3
    assert [five.titles[c] for c in five.rows[0][1]] == [f"DiT-XL/2 lr {n}" for n in range(4)]


def test_recipes_stand_side_by_side_model_by_model():
    labels = [f"DiT-{s}/2 objective={o} seed=0" for s in "SBL" for o in ("ddpm", "flow")]
    block = mosaic({label: images() for label in [*labels, "DiT-S/2 objective=flow seed=1"]})
    assert list(block.columns) == ["ddpm", "flow"] and not block.titles
    assert [name for name, _ in block.rows] == ["DiT-S/2", "DiT-B/2", "DiT-L/2"]
    assert all(None not in line for _, line in block.rows) and len(block.images) == 6
    assert block.alt.endswith("DiT-S/2 ddpm, DiT-S/2 flow, DiT-B/2 ddpm, DiT-B/2 flow, "
                              "DiT-L/2 ddpm, DiT-L/2 flow")  # fmt: skip


def test_many_models_of_one_recipe_stand_side_by_side():
    """Forty models filled six pages with one narrow column, below the word "default"."""
    block = mosaic({f"DiT-S-{i}x32x4/2": images() for i in range(40)})
    assert list(block.columns) == [""] * 4 and [len(line) for _, line in block.rows] == [4] * 10
    assert sorted(block.titles.values()) == sorted(f"DiT-S-{i}x32x4/2" for i in range(40))


def test_many_recipes_of_few_models_run_down_the_page():
    rates = {f"DiT-{s}/2 train.learning_rate={n}": images() for s in "SB" for n in range(7)}
    block = mosaic(rates)
    assert list(block.columns) == ["DiT-S/2", "DiT-B/2"]
    assert [name for name, _ in block.rows] == [f"lr {n}" for n in range(7)]


def test_a_sparse_grid_is_none_and_every_run_has_its_own_words():
    apart = {f"DiT-{s}/2 train.schedule={{'name': '{s}', 'a': 1}}": images() for s in "SBLXYZ"}
    block = mosaic(apart)
    assert len(block.rows) == 2 and len(block.titles) == 6


def test_pixels_are_enlarged_by_a_whole_factor_and_not_smoothed():
    picture = np.random.default_rng(0).integers(0, 255, (1, 8, 8, 3)).astype(np.uint8)
    (data,) = mosaic({"DiT-S/2": picture}).images.values()
    page = np.asarray(Image.open(io.BytesIO(data)))
    factor = page.shape[0] // 8
    assert page.shape == (8 * factor, 8 * factor, 3)
    np.testing.assert_array_equal(page[::factor, ::factor], picture[0])


def test_grey_and_large_images_are_shown_as_they_are():
    block = mosaic({"DiT-S/2": images(size=256, channels=1)})
    (data,) = block.images.values()
    assert Image.open(io.BytesIO(data)).height == 256 and "enlarged" not in plain(block.caption)


@pytest.mark.parametrize(
    "bad", [images().astype(np.float32), images()[0], images(channels=4), images(n=0)]
)
def test_samples_of_another_kind_are_refused_by_name(bad):
    with pytest.raises(BadInput, match="samples of 'DiT-S/2'"):
        mosaic({"DiT-S/2": bad})


def test_of_many_milestones_the_first_and_the_last_are_shown_and_some_between():
    block = milestones({"DiT-S/2": {step: images(value=step) for step in range(1, 12)}})
    assert list(block.columns) == ["step 1", "step 3", "step 5", "step 7", "step 9", "step 11"]
    assert len(block.images) == COLUMNS


def test_models_with_other_milestones_name_their_steps_beside_their_row():
    block = milestones(
        {
            "DiT-S/2": {step: images() for step in (1, 2, 3, 4)},
            "DiT-B/2": {step: images() for step in (1_000, 2_000, 3_000)},
        }
    )
    assert [name for name, _ in block.rows] == [
        "DiT-S/2 at 1, 2, 3, 4",
        "DiT-B/2 at 1,000, 2,000, 3,000",
    ]
    assert block.rows[1][1][3] is None and list(block.columns)[-1] == "milestone 4"


def test_a_milestone_that_one_model_lacks_is_empty_in_its_column():
    first, later = ({n: images(), n + 1: images()} for n in (1, 2))
    block = milestones({"DiT-S/2": first, "DiT-B/2": later})
    assert list(block.columns) == ["step 1", "step 2", "step 3"]
    assert [[bool(c) for c in line] for _, line in block.rows] == [
        [True, True, False],
        [False, True, True],
    ]


def test_pictures_of_milestones_are_made_smaller_and_say_so():
    large = np.zeros((1, 256, 256, 3), np.uint8)
    large[:, :, 128:] = 200
    block = milestones({"DiT-S/2": {1: large, 2: large}})
    picture = np.asarray(Image.open(io.BytesIO(next(iter(block.images.values())))))
    assert picture.shape == (THUMBNAIL, THUMBNAIL, 3)
    assert set(np.unique(picture)) == {0, 200} and "64 pixels a side" in plain(block.caption)


def test_the_text_for_those_who_cannot_see_names_the_models_in_the_order_of_the_rows():
    models = [f"DiT-{size}/{patch}" for size in ("S", "B", "L", "XL") for patch in (8, 4, 2)]
    block = milestones({model: {1: images(), 2: images()} for model in models})
    assert block.alt.endswith("by " + ", ".join(models))
