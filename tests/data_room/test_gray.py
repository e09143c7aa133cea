"""Colour images brought to gray, and gray ones to three channels."""

from __future__ import annotations

import numpy as np
from PIL import Image

from harness.data.gray import with_channels

COLOURS = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)


def test_colours_are_brought_to_pillows_gray() -> None:
    found = with_channels(COLOURS, 1)
    assert found.shape == (40, 30, 1) and found.dtype == np.uint8
    assert np.array_equal(found[..., 0], np.asarray(Image.fromarray(COLOURS).convert("L")))


def test_gray_is_repeated_and_what_fits_stays() -> None:
    gray = COLOURS[..., :1]
    assert np.array_equal(with_channels(gray, 3), np.repeat(gray, 3, axis=2))
    assert with_channels(gray, 1) is gray and with_channels(COLOURS, 3) is COLOURS
    assert np.array_equal(with_channels(np.repeat(gray, 3, axis=2), 1), gray)
