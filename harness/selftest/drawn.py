"""A fixed set of drawn images: the same bytes on every machine, since integers alone draw them."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_FIRST, _STEP = 12345, (1103515245, 12345)  # the generator of the C standard's example


def drawn_images(count: int = 32, size: int = 256) -> NDArray[np.uint8]:
    """(count, size, size, 3): two-coloured ramps below four discs and bars in strong colours."""
    rows, columns = np.mgrid[:size, :size]
    images = np.empty((count, size, size, 3), np.uint8)
    state = _FIRST
    for image in images:
        numbers = []
        for _ in range(40):
            state = (state * _STEP[0] + _STEP[1]) % 2**31
            numbers.append(state >> 16)
        take = iter(numbers)
        start, end = ([next(take) % 256 for _ in range(3)] for _ in range(2))
        along = rows if next(take) % 2 else columns
        for channel in range(3):
            image[..., channel] = (start[channel] * (size - 1 - along) + end[channel] * along) // (
                size - 1
            )
        for figure in range(4):
            y, x = next(take) % size, next(take) % size
            reach = size // 12 + next(take) % (size // 6)
            dy, dx = np.abs(rows - y), np.abs(columns - x)
            inside = dy**2 + dx**2 < reach**2 if figure % 2 else (dy < reach) & (dx < reach // 2)
            image[inside] = [255 * (next(take) % 2) for _ in range(3)]
    return images


def sha256(images: NDArray[np.uint8]) -> str:
    """SHA-256 of the pixels, in hex."""
    return hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
