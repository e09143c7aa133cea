"""What is seen of images as they pass: how many equal an earlier one, and how many are gray.

Several processes that sample with one seed each give the same images, and a folder that is read by
two names gives its own twice: a set of 50,000 is then one of 25,000, and its metrics are others'.
Gray images measured against colour ones are as far off as the colours are, however well drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.metrics.resized import Images

WORTH_SAYING = 1e-3  # published sets of photographs have a few
NEARLY_ALL = 0.99
LOOKED_AT = 64  # rows and columns of an image, at most about twice as many


class Seen:
    """How many images of a set have passed, how many of them before, and how many were gray."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._seen: set[bytes] = set()
        self.count = self.repeated = self.gray = 0

    def counted(self, images: Images) -> Images:
        """`images` whose batches are counted here as they pass; each pass is counted anew."""

        def batches(size: int) -> Iterator[NDArray[np.uint8]]:
            self._begin()
            for batch in images.batches(size):
                self.add(batch)
                yield batch

        return replace(images, batches=batches)

    def add(self, batch: NDArray[np.uint8]) -> None:
        """Count images uint8 (N, H, W, C). Of large ones, every n-th row and column is read."""
        height, width = batch.shape[1:3]
        part = batch[:, :: max(1, height // LOOKED_AT), :: max(1, width // LOOKED_AT)]
        for image in np.ascontiguousarray(part):
            mark = hashlib.blake2b(image, digest_size=16).digest()
            self.repeated += mark in self._seen
            self._seen.add(mark)
        self.gray += int((part == part[..., :1]).all(axis=(1, 2, 3)).sum())
        self.count += len(batch)

    def repeats(self, name: str, cause: str) -> str | None:
        """A sentence where there are so many that the metrics are others'; else None."""
        if self.repeated <= WORTH_SAYING * self.count:
            return None
        return (
            f"{name}: {self.repeated:,} of {self.count:,} images equal an earlier one pixel for "
            f"pixel: {cause}?"
        )


def gray_beside_colour(samples: Seen, reference: Seen) -> str | None:
    """A sentence where nearly all images of one side are gray and most of the other's are not."""
    sides = {"samples": samples, "reference": reference}
    for (one, ours), (other, theirs) in (tuple(sides.items()), tuple(reversed(sides.items()))):
        if ours.gray >= NEARLY_ALL * ours.count > 0 and 2 * theirs.gray < theirs.count:
            return (
                f"{ours.gray:,} of {ours.count:,} images of the {one} are gray, and "
                f"{theirs.count - theirs.gray:,} of {theirs.count:,} of the {other} are in colour: "
                "distances hold the colours, so bring both to gray or to colour first"
            )
    return None
