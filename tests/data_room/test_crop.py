from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.data.crop import centre_crop
from harness.errors import BadInput


def gradient(height: int, width: int) -> np.ndarray:
    rows, columns = np.meshgrid(
        np.linspace(0, 255, height), np.linspace(0, 255, width), indexing="ij"
    )
    return np.stack([rows, columns, (rows + columns) / 2], axis=-1).astype(np.uint8)


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    size=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
)
@settings(max_examples=60, deadline=None)
def test_any_image_becomes_the_asked_for_square(height, width, size, channels) -> None:
    out = centre_crop(gradient(height, width)[..., :channels], size)
    assert out.shape == (size, size, channels) and out.dtype == np.uint8


def test_an_image_of_the_size_is_left_as_it_is() -> None:
    image = gradient(16, 16)
    assert centre_crop(image, 16) is image


def test_the_crop_takes_the_centre_and_rounds_the_offset_down() -> None:
    image = gradient(8, 13)
    np.testing.assert_array_equal(centre_crop(image, 8), image[:, 2:10])
    np.testing.assert_array_equal(
        centre_crop(image.transpose(1, 0, 2), 8), image.transpose(1, 0, 2)[2:10]
    )


def test_large_images_are_halved_by_box_averaging_first() -> None:
    """33 x 70 at size 8: twice halved to 8 x 17 (BOX), no bicubic left to do, offset 4."""
    image = gradient(33, 70)
    halved = Image.fromarray(image).resize((35, 16), Image.Resampling.BOX)
    quartered = halved.resize((17, 8), Image.Resampling.BOX)
    np.testing.assert_array_equal(centre_crop(image, 8), np.asarray(quartered)[:, 4:12])


def test_what_halving_leaves_is_resized_bicubically() -> None:
    image = gradient(15, 21)
    resized = Image.fromarray(image).resize((11, 8), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(centre_crop(image, 8), np.asarray(resized)[:, 1:9])


def test_other_arrays_are_refused() -> None:
    for bad in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(BadInput, match="uint8"):
            centre_crop(bad, 2)


@pytest.mark.parametrize("shape", [(20_000, 1, 3), (3, 301, 1)])
def test_an_image_too_narrow_to_scale_is_refused_before_it_is(shape) -> None:
    """20,000 x 1 took 112 seconds and 12.6 GB: scaled to 256 it is 5 million pixels long."""
    with pytest.raises(BadInput, match=f"is {shape[1]} x {shape[0]} pixels, too narrow to crop"):
        centre_crop(np.zeros(shape, np.uint8), 256)
