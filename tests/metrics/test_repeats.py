"""Images of a set that equal an earlier one, pixel for pixel, are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.metrics.repeats import Repeats
from harness.metrics.resized import Images


def of(pixels: np.ndarray) -> Images:
    def batches(size: int):
        yield from (pixels[start : start + size] for start in range(0, len(pixels), size))

    return Images(Path("x"), len(pixels), pixels.shape[1:3], batches, lambda: "")


@pytest.mark.parametrize("size", [8, 64, 130, 256])
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_what_was_seen_before_is_counted_in_any_batch(size: int, batch: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, size, size, 3), dtype=np.uint8)
    repeats = Repeats()
    images = repeats.counted(of(np.concatenate([pixels, pixels[:4], pixels[:1]])))
    for _ in range(2):  # a second pass begins anew
        assert sum(len(each) for each in images.batches(batch)) == 12
        assert (repeats.count, repeats.repeated) == (12, 5)
    assert repeats.note("a.npz", "why") == (
        "a.npz: 5 of 12 images equal an earlier one pixel for pixel: why?"
    )


def test_images_that_differ_in_a_pixel_that_is_read_are_two(monkeypatch) -> None:
    pixels = np.zeros((2, 63, 63, 1), dtype=np.uint8)
    pixels[1, 62, 62] = 1
    repeats = Repeats()
    repeats.add(pixels)
    assert repeats.repeated == 0 and repeats.note("a", "why") is None


def test_a_few_in_a_thousand_are_not_worth_a_word() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 4, 4, 3), dtype=np.uint8)
    for repeated, said in ((1, False), (2, True)):
        repeats = Repeats()
        repeats.add(np.concatenate([pixels[:-repeated], pixels[:repeated]]))
        assert repeats.repeated == repeated
        assert (repeats.note("a", "why") is not None) == said
