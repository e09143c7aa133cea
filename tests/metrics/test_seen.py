"""Images that equal an earlier one, and gray ones among colours, are counted and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.metrics.resized import Images
from harness.metrics.seen import Seen, gray_beside_colour


def of(pixels: np.ndarray) -> Images:
    def batches(size: int):
        yield from (pixels[start : start + size] for start in range(0, len(pixels), size))

    return Images(Path("x"), len(pixels), pixels.shape[1:3], batches, lambda: "")


@pytest.mark.parametrize("size", [8, 64, 130, 256])
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_what_was_seen_before_is_counted_in_any_batch(size: int, batch: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, size, size, 3), dtype=np.uint8)
    seen = Seen()
    images = seen.counted(of(np.concatenate([pixels, pixels[:4], pixels[:1]])))
    for _ in range(2):  # a second pass begins anew
        assert sum(len(each) for each in images.batches(batch)) == 12
        assert (seen.count, seen.repeated) == (12, 5)
    assert seen.repeats("a.npz", "why") == (
        "a.npz: 5 of 12 images equal an earlier one pixel for pixel: why?"
    )


def test_images_that_differ_in_a_pixel_that_is_read_are_two(monkeypatch) -> None:
    pixels = np.zeros((2, 63, 63, 1), dtype=np.uint8)
    pixels[1, 62, 62] = 1
    seen = Seen()
    seen.add(pixels)
    assert seen.repeated == 0 and seen.repeats("a", "why") is None


def test_a_few_in_a_thousand_are_not_worth_a_word() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 4, 4, 3), dtype=np.uint8)
    for repeated, said in ((1, False), (2, True)):
        seen = Seen()
        seen.add(np.concatenate([pixels[:-repeated], pixels[:repeated]]))
        assert seen.repeated == repeated
        assert (seen.repeats("a", "why") is not None) == said


def side(gray: int, coloured: int, channels: int = 3) -> Seen:
    """A set of so many gray images and so many in colour, seen in two batches."""
    pixels = np.random.default_rng(0).integers(0, 256, (gray + coloured, 9, 9, 3), dtype=np.uint8)
    pixels[:gray] = pixels[:gray, :, :, :1]
    seen = Seen()
    for part in (pixels[:50], pixels[50:]):
        seen.add(part[..., :channels])
    return seen


@pytest.mark.parametrize(
    ("samples", "reference", "said"),
    [
        ((100, 0), (2, 98), "100 of 100 images of the samples are gray, and 98 of 100 of the refe"),
        (
            (0, 100),
            (100, 0),
            "100 of 100 images of the reference are gray, and 100 of 100 of the s",
        ),
        ((99, 1), (49, 51), "99 of 100 images of the samples are gray"),
        ((98, 2), (0, 100), None),
        ((100, 0), (50, 50), None),
        ((100, 0), (100, 0), None),
        ((0, 100), (0, 100), None),
        ((100, 0), (0, 0), None),  # statistics: nothing was seen
    ],
)
def test_gray_images_beside_colour_are_told(samples, reference, said) -> None:
    found = gray_beside_colour(side(*samples), side(*reference))
    assert (found or "").startswith(said or "") and (found is None) == (said is None)


def test_images_of_one_channel_are_gray() -> None:
    assert side(0, 100, channels=1).gray == 100
