"""Our sources keep the laws; one that breaks a law is found by that law."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from broken_laws import named

import harness.testing
from harness.components.source import Source, Split, Wanted
from harness.data.examples import drawn
from harness.data.file_source import FileSource, content_sha256
from harness.data.images import ArrayImages, Corrupt
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


class Stored(FileSource):
    """A file of pixels per image, below a folder; even ones are of one class, odd of another."""

    name: ClassVar[str] = "stored"

    def example(self, folder: Path, seed: int, damaged: bool = False) -> Path | None:
        folder.mkdir(parents=True, exist_ok=True)
        for k, image in enumerate(drawn(seed)):
            np.save(folder / f"{k:02}.npy", image)
        if damaged:
            (folder / "03.npy").write_bytes(b"no pixels")
        return folder

    def open(self, wanted: Wanted) -> Any:
        return Saved(sorted(self.path_of(wanted).iterdir()))


class Saved:
    """The images of Stored."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths, self.class_names = paths, ["even", "odd"]
        self.fingerprint = content_sha256(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        try:
            return np.load(self.paths[index]), index % 2
        except ValueError as error:
            raise Corrupt(str(self.paths[index]), str(error)) from None


def test_a_strangers_source_of_files_keeps_every_law() -> None:
    harness.testing.check("source", Stored)


class Constant(Stored):
    """Its fingerprint is of the names alone."""

    name: ClassVar[str] = "constant"

    def open(self, wanted: Wanted) -> Any:
        found = super().open(wanted)
        names = "".join(path.name for path in found.paths)
        found.fingerprint = hashlib.sha256(names.encode()).hexdigest()
        return found


class Nameless(Stored):
    """Says that it has no labels, and has two classes."""

    name: ClassVar[str] = "nameless"

    @property
    def labelled(self) -> bool:
        return False


class Blackening(Stored):
    """Gives black for what cannot be read."""

    name: ClassVar[str] = "blackening"

    def open(self, wanted: Wanted) -> Any:
        class Forgiving(Saved):
            def __getitem__(self, index: int) -> tuple[Any, int]:
                try:
                    return super().__getitem__(index)
                except Corrupt:
                    return np.zeros((8, 8, 3), np.uint8), index % 2

        return Forgiving(super().open(wanted).paths)


class Strict(Stored):
    """Refuses all images for one that cannot be read."""

    name: ClassVar[str] = "strict"

    def open(self, wanted: Wanted) -> Any:
        found = super().open(wanted)
        for index in range(len(found)):
            found[index]
        return found


class Guessing(Stored):
    """Lists a file that it would like to be there."""

    name: ClassVar[str] = "guessing"

    def listing(self, path: str, split: Split = "train") -> Sequence[Path | str]:
        return [*super().listing(path, split), Path(path, "index.json")]


class Doubling(Stored):
    """Lists each file twice."""

    name: ClassVar[str] = "doubling"

    def listing(self, path: str, split: Split = "train") -> Sequence[Path | str]:
        return [*super().listing(path, split)] * 2


class Hasty(Stored):
    """Its quick fingerprint is another than that of its images."""

    name: ClassVar[str] = "hasty"

    def quick_fingerprint(self, path: str) -> str | None:
        return hashlib.sha256(str(len(self.listing(path))).encode()).hexdigest()


BROKEN = [
    (Unsteady, laws.order_and_fingerprint_are_the_same_each_time, "two fingerprints"),
    (Seedless, laws.the_fingerprint_notices_other_images, "one fingerprint"),
    (Leaking, laws.splits_are_disjoint, "is one of train's too"),
    (Overflowing, laws.opens_images_with_labels_in_range, "label 2 of 2 classes"),
    (Floating, laws.opens_images_with_labels_in_range, "promised is uint8"),
    (Constant, laws.an_example_keeps_these_laws_too, "other images have the same fingerprint"),
    (Nameless, laws.an_example_keeps_these_laws_too, "labelled is False, and there are 2 classes"),
    (Blackening, laws.a_damaged_image_is_corrupt_for_its_item_alone, "and 0 raise Corrupt"),
    (Strict, laws.a_damaged_image_is_corrupt_for_its_item_alone, "raised Corrupt: .*03.npy"),
    (Guessing, laws.the_files_of_an_example_are_listed, "not there: .*index.json"),
    (Hasty, laws.a_quick_fingerprint_is_the_fingerprint, "quick_fingerprint says"),
    (Doubling, laws.the_files_of_an_example_are_listed, "names a file twice"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "law", "said"), BROKEN)
def test_a_broken_promise_is_named_and_no_other(cls: type[Source], law: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said) as caught:
        harness.testing.check("source", cls)
    assert named(caught.value) == [law.__name__]
