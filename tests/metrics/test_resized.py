"""Images brought to another size: noted, in the checksum, and untouched where they have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import BadInput
from harness.metrics.images import open_images


def array(folder: Path, height: int, width: int) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (4, height, width, 3), dtype=np.uint8)
    np.savez(folder / "images.npz", pixels)
    return folder / "images.npz"


def test_images_of_that_size_are_left_as_they_are(tmp_path: Path) -> None:
    path = array(tmp_path, 8, 8)
    plain, asked = open_images(path), open_images(path, 8)
    assert asked.sha256() == plain.sha256() and asked.notes == ()
    np.testing.assert_array_equal(next(asked.batches(4)), next(plain.batches(4)))


def test_what_was_done_is_noted_and_in_the_checksum(tmp_path: Path) -> None:
    path = array(tmp_path, 12, 8)
    plain, small, large = open_images(path), open_images(path, 4), open_images(path, 16)
    assert [i.size for i in (plain, small, large)] == [(12, 8), (4, 4), (16, 16)]
    assert len({i.sha256() for i in (plain, small, large)}) == 3
    assert [b.shape for b in small.batches(3)] == [(3, 4, 4, 3), (1, 4, 4, 3)]
    assert "from 12x8 to 4x4" in small.notes[0] and "enlarged" not in small.notes[0]
    assert "enlarged, which adds no detail" in large.notes[0]


def test_an_image_that_is_too_narrow_is_named_before_any_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="each image is 1 x 101 pixels, too narrow"):
        open_images(array(tmp_path, 101, 1), 4)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, size in (("a", (8, 8)), ("b", (505, 5))):
        Image.new("RGB", size).save(folder / f"{name}.png")
    with pytest.raises(BadInput, match=r"b\.png is 505 x 5 pixels, too narrow"):
        open_images(folder, 4)
