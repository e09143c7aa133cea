"""Our sources keep the laws; one that breaks a law is found by that law."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

import harness.testing
from harness.components.source import Source, Wanted
from harness.data.images import ArrayImages
from harness.testing import source as laws

SPLITS = ("train", "reference", "floor")


class Stripes(Source):
    """Noise that a seed and a split fix."""

    name: ClassVar[str] = "stripes"
    made: ClassVar[bool] = True

    def open(self, wanted: Wanted) -> Any:
        random = np.random.default_rng([wanted.seed, SPLITS.index(wanted.split)])
        return self.images(random, wanted)

    def images(self, random: np.random.Generator, wanted: Wanted) -> Any:
        pixels = random.integers(0, 256, (wanted.count or 1, 8, 8, 3), dtype=np.uint8)
        return ArrayImages(pixels, np.arange(len(pixels)) % 2, ["odd", "even"])


def test_ours_and_a_strangers_keep_every_law() -> None:
    harness.testing.check("source", "embedded")
    harness.testing.check("source", Stripes)


class Unsteady(Stripes):
    """Other images each time."""

    name: ClassVar[str] = "unsteady"

    def open(self, wanted: Wanted) -> Any:
        return self.images(np.random.default_rng(), wanted)


class Seedless(Stripes):
    """The same images for every seed."""

    name: ClassVar[str] = "seedless"

    def open(self, wanted: Wanted) -> Any:
        return self.images(np.random.default_rng(SPLITS.index(wanted.split)), wanted)


class Leaking(Stripes):
    """The same images in every split."""

    name: ClassVar[str] = "leaking"

    def open(self, wanted: Wanted) -> Any:
        return self.images(np.random.default_rng(wanted.seed), wanted)


class Changed:
    """Images, each changed as it is read."""

    def __init__(self, images: Any, change: Callable[[Any, int], tuple[Any, int]]) -> None:
        self.of, self.change = images, change
        self.fingerprint, self.class_names = images.fingerprint, images.class_names

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.change(*self.of[index])


class Overflowing(Stripes):
    """A label that is no class."""

    name: ClassVar[str] = "overflowing"

    def images(self, random: np.random.Generator, wanted: Wanted) -> Any:
        return Changed(super().images(random, wanted), lambda pixels, label: (pixels, label + 1))


class Floating(Stripes):
    """Images that are no bytes."""

    name: ClassVar[str] = "floating"

    def images(self, random: np.random.Generator, wanted: Wanted) -> Any:
        return Changed(super().images(random, wanted), lambda pixels, label: (pixels / 255, label))


@pytest.mark.parametrize(
    ("cls", "law", "said"),
    [
        (Unsteady, laws.order_and_fingerprint_are_the_same_each_time, "two fingerprints"),
        (Seedless, laws.the_fingerprint_notices_other_images, "one fingerprint"),
        (Leaking, laws.splits_are_disjoint, "is one of train's too"),
        (Overflowing, laws.opens_images_with_labels_in_range, "label 2 of 2 classes"),
        (Floating, laws.opens_images_with_labels_in_range, "promised is uint8"),
    ],
)
def test_a_broken_promise_is_named(cls: type[Source], law: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        law(cls())
