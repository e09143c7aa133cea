"""How close two images are, pixel by pixel: PSNR and SSIM of autoencoders' reconstructions.

SSIM: Wang, Bovik, Sheikh and Simoncelli 2004, with its Gaussian window of 11 x 11 pixels and
deviation 1.5, K1 = 0.01 and K2 = 0.03; the mean over the places where the whole window lies in the
image, and over the channels.
"""

from __future__ import annotations

import numpy as np

from harness.errors import BadInput

LEVELS = 255.0
WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03


def psnr(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio in dB, (N,) float64; infinite where two images are equal.

    images, others: uint8 (N, H, W, C). Raises BadInput for other shapes.
    """
    _check(images, others)
    error = np.square(images.astype(np.float64) - others).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(LEVELS**2 / error))


def ssim(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Structural similarity, (N,) float64, 1 where two images are equal.

    images, others: uint8 (N, H, W, C) of at least 11 x 11 pixels. Raises BadInput for others.
    """
    _check(images, others)
    if min(images.shape[1:3]) < WINDOW:
        raise BadInput(
            f"SSIM has a window of {WINDOW} x {WINDOW} pixels, the images have "
            f"{images.shape[1]} x {images.shape[2]}"
        )
    x, y = images.astype(np.float64), others.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x, var_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    shared = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (K1 * LEVELS) ** 2, (K2 * LEVELS) ** 2
    map_ = (2 * mean_x * mean_y + c1) * (2 * shared + c2)
    map_ /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return np.asarray(map_.mean(axis=(1, 2, 3)))


def _blurred(x: np.ndarray) -> np.ndarray:
    """(N, H, W, C) under the window, where it lies in the image: (N, H - 10, W - 10, C)."""
    places = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(places**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    for axis in (1, 2):
        length = x.shape[axis] - WINDOW + 1
        x = sum(
            weight * np.take(x, range(k, k + length), axis=axis) for k, weight in enumerate(weights)
        )
    return x


def _check(images: np.ndarray, others: np.ndarray) -> None:
    if images.shape != others.shape or images.ndim != 4:
        raise BadInput(f"images {images.shape} and {others.shape} cannot be compared")
