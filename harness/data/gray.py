"""Colour images brought to gray, and gray ones to three channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LUMA = np.array([19595, 38470, 7471])  # Rec. 601 in 65536ths, as Pillow's "L"


def with_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """uint8 (H, W, 1 or 3) to (H, W, channels), 1 or 3: colours to their luma, gray repeated."""
    if pixels.shape[2] == 3 and channels == 1:
        luma: NDArray[np.int64] = pixels.astype(np.int64) @ LUMA + 0x8000 >> 16
        return luma.astype(np.uint8)[..., None]
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 and channels == 3 else pixels
