"""Which real images an extractor is shown, and how."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.images import ArrayImages
from harness.stages.real_images import batches, chosen, in_memory, rgb


def images(count: int, channels: int = 1, side: int = 8) -> ArrayImages:
    """Image i has the level i everywhere."""
    levels = np.arange(count, dtype=np.uint8)[:, None, None, None]
    pixels = np.broadcast_to(levels, (count, side, side, channels)).copy()
    return ArrayImages(pixels, np.arange(count) % 3, ["a", "b", "c"])


def test_a_choice_is_sorted_without_repeats_and_the_seeds_own() -> None:
    first = chosen(5, 20, seed=0)
    assert len(set(first)) == 5 and (np.diff(first) > 0).all() and first.max() < 20
    assert np.array_equal(first, chosen(5, 20, seed=0))
    assert not np.array_equal(first, chosen(5, 20, seed=1))


@pytest.mark.parametrize("count", [None, 20, 21])
def test_all_are_chosen_where_no_fewer_are_asked_for(count: int | None) -> None:
    assert np.array_equal(chosen(count, 20, seed=0), np.arange(20))


def test_batches_are_of_the_chosen_ones_in_order_with_three_channels() -> None:
    found = list(batches(images(20), np.array([1, 4, 7, 9, 19]), 4, 2))
    assert [batch.shape for batch in found] == [(2, 4, 4, 3), (2, 4, 4, 3), (1, 4, 4, 3)]
    assert [int(image[0, 0, 0]) for batch in found for image in batch] == [1, 4, 7, 9, 19]


def test_images_in_memory_have_their_labels() -> None:
    pixels, labels = in_memory(images(7, channels=3), 4, np.array([2, 6]))
    assert pixels.shape == (2, 4, 4, 3) and pixels[:, 0, 0, 0].tolist() == [2, 6]
    assert labels.tolist() == [2, 0]
    assert len(in_memory(images(7), 8)[0]) == 7


def test_gray_is_repeated_and_colour_left() -> None:
    gray, colour = images(2).images, images(2, channels=3).images
    assert rgb(gray).shape == (2, 8, 8, 3) and rgb(colour) is colour
