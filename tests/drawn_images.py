"""Images drawn for tests: shapes of any place and colour, and four ways to make them worse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

Corruption = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], np.ndarray]
STRENGTHS = (0.1, 0.2, 0.4, 0.6, 0.9)


def shapes(count: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bright discs, squares, bars on dark noise: uint8 (N, size, size, 3), labels 0-2."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = random.integers(0, 60, (count, size, size, 3))
    down, right = np.mgrid[:size, :size] / size
    for image, label in zip(images, labels, strict=True):
        y, x = random.uniform(0.4, 0.6, 2)
        inside = [
            np.hypot(down - y, right - x) < 0.3,
            np.maximum(abs(down - y), abs(right - x)) < 0.3,
            (abs(down - y) < 0.08) & (abs(right - x) < 0.35),
        ][label]
        image[inside] = random.integers(120, 256, 3)
    return images.astype(np.uint8), labels


def noise(
    images: np.ndarray, labels: np.ndarray, strength: float, random: np.random.Generator
) -> np.ndarray:
    """Gaussian noise of up to 100 levels."""
    noisy = images + random.normal(0, 100 * strength, images.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def blur(
    images: np.ndarray, labels: np.ndarray, strength: float, random: np.random.Generator
) -> np.ndarray:
    """A Gaussian of 0.3 pixels and up to a twelfth of the side."""
    sigma = 0.3 + strength * images.shape[1] / 12
    blurred = ndimage.gaussian_filter(images.astype(float), (0, sigma, sigma, 0))
    return blurred.round().clip(0, 255).astype(np.uint8)


def crop(
    images: np.ndarray, labels: np.ndarray, strength: float, random: np.random.Generator
) -> np.ndarray:
    """The middle, of down to 0.4 of the side, enlarged."""
    size = images.shape[1]
    margin = 0.3 * strength * size
    box = (margin, margin, size - margin, size - margin)
    rgb = np.broadcast_to(images, (*images.shape[:3], 3))
    bilinear = Image.Resampling.BILINEAR
    return np.stack(
        [np.asarray(Image.fromarray(x).resize((size, size), bilinear, box=box)) for x in rgb]
    )


def mixture(
    images: np.ndarray, labels: np.ndarray, strength: float, random: np.random.Generator
) -> np.ndarray:
    """A share of the images is replaced by some of class 0: whole images, wrongly mixed."""
    chosen = np.arange(len(images))
    replaced = (random.random(len(images)) < strength) & (labels != 0)
    chosen[replaced] = random.choice(np.flatnonzero(labels == 0), replaced.sum())
    return images[chosen]


CORRUPTIONS: dict[str, Corruption] = {
    "noise": noise,
    "blur": blur,
    "crop": crop,
    "mixture": mixture,
}
