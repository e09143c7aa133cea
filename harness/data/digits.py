"""scikit-learn's 8x8 handwritten digits: real images, for users to check the glyphs against.

    images, labels = render("train", 700, image_size=8, channels=1)

1,797 images in all, dealt once and for all into the same disjoint splits as the glyphs (DEALT);
the seed only orders the images inside a split, so no two splits share an image whatever the seeds.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from harness.data import glyphs
from harness.errors import BadInput

NUM_CLASSES = 10
SPLITS = glyphs.SPLITS
DEALT = {"train": 700, "reference": 400, "floor": 300, "classifier": 300, "classifier-test": 97}


def render(
    split: str, count: int, image_size: int = 8, channels: int = 3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The first count images of a split: uint8 (N, H, W, channels) and labels int64 (N,).

    Levels 0-16 become 0-255; sizes other than 8 are Pillow's bilinear enlargement, three channels
    repeat the gray. Image i depends on (seed, split, i) alone. Raises BadInput for an unknown
    split, an impossible size, or more images than the split holds.
    """
    glyphs.check(split, count, image_size, channels)
    if image_size < 8:
        raise BadInput(f"image_size {image_size} is less than the digits' own 8")
    if count > DEALT[split]:
        raise BadInput(
            f"the digits' split {split!r} holds {DEALT[split]} images, not {count}; "
            "ask for fewer, or use `data: glyphs`, which has no limit"
        )
    everything, labels = _load()
    start = sum(DEALT[name] for name in SPLITS[: SPLITS.index(split)])
    dealt = _shuffle("digits/deal", len(labels))[start : start + DEALT[split]]
    chosen = dealt[_shuffle(f"digits/{seed}/{split}", len(dealt))[:count]]
    images = _resize(everything[chosen], image_size)
    return np.repeat(images[..., None], channels, axis=-1), labels[chosen]


@lru_cache(maxsize=1)
def _load() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.rint(digits.images * (255 / 16)).astype(np.uint8), digits.target.astype(np.int64)


def _shuffle(name: str, count: int) -> np.ndarray:
    """A permutation of range(count) that depends on the name alone."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    # Sorting uniform draws, because Generator.permutation may change between numpy versions.
    return np.argsort(np.random.Generator(np.random.Philox(key=key)).random(count), kind="stable")


def _resize(images: np.ndarray, image_size: int) -> np.ndarray:
    if image_size == images.shape[1] or not len(images):
        return images.reshape(len(images), *([image_size] * 2))
    from PIL import Image

    size = (image_size, image_size)
    enlarged = [Image.fromarray(image).resize(size, Image.Resampling.BILINEAR) for image in images]
    return np.stack([np.asarray(image) for image in enlarged])
