"""Images that are not trained on: a share of the data by rule, or a folder of their own.

The rule spreads what is held out evenly over the source's order, which for most sources is by
class: of each stretch of 1 / share images one is drawn, by the seed. So classes are held out in
proportion, the number is exact, and which images they are depends on the number of images, the
share and the seed alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.components.source import Images, Split
from harness.errors import BadInput

if TYPE_CHECKING:  # planning asks for numbers alone
    import numpy as np


def count_of(images: int, share: float) -> int:
    """How many of `images` a share holds out. Raises BadInput when that is less than two."""
    held = round(images * share)
    if held < 2:
        least = next(n for n in range(images, 10**9) if round(n * share) >= 2)
        raise BadInput(
            f"data.held_out {share:g} of {images:,} images is {held}, and a comparison needs 2: "
            f"hold out a larger share ({2 / images:.2g}), or have {least:,} images"
            if images >= 4
            else f"{images} images are too few to hold some out"
        )
    return held


def chosen(images: int, share: float, seed: int) -> np.ndarray:
    """The positions that are held out of `images`, ascending, (count_of(images, share),) int64."""
    import numpy as np

    held = count_of(images, share)
    edges = np.arange(held + 1) * images // held
    key = int.from_bytes(hashlib.sha256(f"held-out/{seed}".encode()).digest()[:16], "little")
    draws = np.random.Generator(np.random.Philox(key=key)).random(held)
    within = np.floor(draws * np.diff(edges)).astype(np.int64)
    return np.asarray(edges[:-1] + within, dtype=np.int64)


@dataclass(frozen=True)
class Part:
    """Some images of a source, in its order."""

    whole: Images
    positions: np.ndarray  # (N,) int64, ascending

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.whole[int(self.positions[index])]

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, by label."""
        return self.whole.class_names

    @cached_property
    def labels(self) -> np.ndarray | None:
        """(N,) int64, where the source knows them without opening images; else None."""
        import numpy as np

        known = getattr(self.whole, "labels", None)
        return None if known is None else np.asarray(known)[self.positions]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the whole set's fingerprint and of the positions of these images in it."""
        import numpy as np

        digest = hashlib.sha256(self.whole.fingerprint.encode())
        digest.update(np.ascontiguousarray(self.positions, dtype=np.int64).data)
        return digest.hexdigest()


def is_held_out(split: Split, reference_held_out: bool) -> bool:
    """Does a split take the images that are held out?

    Floors do: the reference is of the training set. Where the reference is made of what is held
    out, floors are real images that it does not have, those of training.
    """
    if split == "reference":
        return reference_held_out
    return split == "floor" and not reference_held_out


def part(images: Images, share: float, seed: int, held_out: bool) -> Part:
    """The images that a share holds out, or all the others."""
    positions = chosen(len(images), share, seed)
    if not held_out:
        import numpy as np

        kept = np.ones(len(images), dtype=bool)
        kept[positions] = False
        positions = np.flatnonzero(kept)
    return Part(images, positions)


def whole(images: Images) -> Images:
    """The images that a part is of; themselves, where they are no part."""
    return images.whole if isinstance(images, Part) else images
