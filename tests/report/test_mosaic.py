"""The grid of samples: places by name, whole pixels, refusals."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from harness.errors import BadInput
from harness.report.blocks import plain
from harness.report.mosaic import mosaic


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
    five = {f"DiT-XL/2 train.learning_rate={n}": images() for n in range(5)}
    assert len(mosaic(five).rows) == 5


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
