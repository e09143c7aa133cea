"""ADM's centre crop (Dhariwal and Nichol 2021), which the reference statistics are made with."""

from __future__ import annotations

import numpy as np

from harness.errors import BadInput

LARGEST_ASPECT = 100  # long side / short side: 1 x 20,000 would be 4 GB when scaled to 256


def too_narrow(width: int, height: int) -> str | None:
    """Why an image of that many pixels is not cropped, None if it is."""
    if max(width, height) <= LARGEST_ASPECT * min(width, height):
        return None
    return (
        f"is {width} x {height} pixels, too narrow to crop: the long side may be "
        f"{LARGEST_ASPECT} times the short one"
    )


def is_image(value: object) -> bool:
    """Is it an array uint8 (H, W, 1 or 3)?"""
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == 3
        and value.shape[2] in (1, 3)
    )


def centre_crop(image: np.ndarray, size: int) -> np.ndarray:
    """The central square of an image, resized: uint8 (H, W, C) -> uint8 (size, size, C), C 1 or 3.

    Halved by BOX averaging while the short side is at least twice the size, then BICUBIC to the
    short side, then cropped with the offset rounded down. Raises BadInput for other arrays, and for
    images that are too_narrow: what is scaled before it is cropped grows with the aspect ratio.
    """
    from PIL import Image

    if not is_image(image):
        raise BadInput(f"expected uint8 (H, W, 1 or 3), got {image.dtype} {image.shape}")
    if reason := too_narrow(image.shape[1], image.shape[0]):
        raise BadInput(f"the image {reason}")
    if image.shape[:2] == (size, size):
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    while min(picture.size) >= 2 * size:
        half = (picture.width // 2, picture.height // 2)
        picture = picture.resize(half, resample=Image.Resampling.BOX)
    ratio = size / min(picture.size)
    scaled = (round(picture.width * ratio), round(picture.height * ratio))
    pixels = np.asarray(picture.resize(scaled, resample=Image.Resampling.BICUBIC))
    top, left = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
    cropped = pixels[top : top + size, left : left + size]
    return cropped.reshape(size, size, image.shape[2])
