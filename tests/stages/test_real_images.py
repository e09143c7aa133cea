"""Which real images an extractor is shown, and how."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.images import ArrayImages, Corrupt
from harness.errors import HarnessError
from harness.stages.real_images import batches, chosen, in_memory, readable, rgb


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


@pytest.mark.parametrize("size", [4, 8])
def test_colours_are_gray_where_a_study_is(size: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    colours = ArrayImages(pixels, np.arange(6) % 3, ["a", "b", "c"])
    (plain,) = batches(colours, np.arange(6), size, 6)
    (gray,) = batches(colours, np.arange(6), size, 6, gray=True)
    assert gray.shape == plain.shape == (6, size, size, 3)
    assert (gray == gray[..., :1]).all() and not (plain == plain[..., :1]).all()
    held, labels = in_memory(colours, size, gray=True)
    assert held.shape == (6, size, size, 1) and np.array_equal(rgb(held), gray)
    assert labels.tolist() == [0, 1, 2, 0, 1, 2]


class Some(ArrayImages):
    """Every seventh cannot be read."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        if index % 7 == 3:
            raise Corrupt(f"{index}.png", "is cut off")
        return super().__getitem__(index)


def test_images_that_cannot_be_read_are_left_out_as_far_as_the_study_allows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = images(20)
    some = Some(whole.images, whole.labels, whole.class_names)
    wanted = np.array([1, 3, 4, 9, 10])
    assert readable(some, wanted, 2).tolist() == [1, 4, 9]
    assert capsys.readouterr().out.splitlines() == [
        "left out: 3.png: is cut off",
        "left out: 10.png: is cut off",
    ]
    with pytest.raises(HarnessError, match=r"2 images cannot be read, more than .*\(1\) allows"):
        readable(some, wanted, 1)
    assert readable(some, wanted, 0) is wanted  # not looked at: the first is an error
    for read in (lambda: list(batches(some, wanted, 8, 2)), lambda: in_memory(some, 8, wanted)):
        with pytest.raises(
            HarnessError, match=r"3\.png: is cut off; repair or remove it, or raise"
        ):
            read()


def test_images_in_memory_have_their_labels() -> None:
    pixels, labels = in_memory(images(7, channels=3), 4, np.array([2, 6]))
    assert pixels.shape == (2, 4, 4, 3) and pixels[:, 0, 0, 0].tolist() == [2, 6]
    assert labels.tolist() == [2, 0]
    assert len(in_memory(images(7), 8)[0]) == 7


def test_gray_is_repeated_and_colour_left() -> None:
    gray, colour = images(2).images, images(2, channels=3).images
    assert rgb(gray).shape == (2, 8, 8, 3) and rgb(colour) is colour
