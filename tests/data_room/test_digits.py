from __future__ import annotations

import numpy as np
import pytest

from harness.data import digits
from harness.errors import BadInput


@pytest.mark.slow
def test_every_image_is_dealt_exactly_once() -> None:
    from sklearn.datasets import load_digits

    given = [
        image.tobytes() + bytes([label])
        for split in digits.SPLITS
        for image, label in zip(
            *digits.render(split, digits.DEALT[split], channels=1, seed=len(split)),
            strict=True,
        )
    ]
    source = load_digits()
    expected = [
        np.rint(image * 255 / 16).astype(np.uint8).tobytes() + bytes([label])
        for image, label in zip(source.images, source.target, strict=True)
    ]
    assert sorted(given) == sorted(expected)


def test_the_seed_orders_a_split_and_changes_nothing_else() -> None:
    one, _ = digits.render("reference", 400, seed=0)
    two, _ = digits.render("reference", 400, seed=1)
    assert not np.array_equal(one, two)
    assert sorted(i.tobytes() for i in one) == sorted(i.tobytes() for i in two)


@pytest.mark.slow
def test_image_i_does_not_depend_on_how_many_are_drawn() -> None:
    few, few_labels = digits.render("train", 5, seed=3)
    more, more_labels = digits.render("train", 50, seed=3)
    assert np.array_equal(few, more[:5]) and np.array_equal(few_labels, more_labels[:5])


@pytest.mark.parametrize(("image_size", "channels"), [(8, 1), (8, 3), (16, 3), (32, 1)])
def test_shapes_and_types(image_size: int, channels: int) -> None:
    images, labels = digits.render("train", 9, image_size=image_size, channels=channels)
    assert images.shape == (9, image_size, image_size, channels) and images.dtype == np.uint8
    assert labels.shape == (9,) and labels.dtype == np.int64
    assert images.max() > 200 and images.min() == 0


def test_an_empty_split_has_the_right_shape() -> None:
    assert digits.render("floor", 0, image_size=16)[0].shape == (0, 16, 16, 3)


def test_asking_for_more_than_there_are_says_how_many_there_are() -> None:
    with pytest.raises(BadInput, match=r"'floor' holds 300 images, not 301.*glyphs"):
        digits.render("floor", 301)


def test_a_size_below_the_images_own_is_refused() -> None:
    with pytest.raises(BadInput, match="less than the digits' own 8"):
        digits.render("train", 1, image_size=4)
