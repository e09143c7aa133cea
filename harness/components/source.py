"""Data sources: `data.source` in a study.

A source opens images: something with a length whose item i is (uint8 (H, W, C), label). Sizes are
brought to the study's by us (ADM's centre crop).

Deterministic: the order of the images is a function of what is stored, not of the file system.
`fingerprint` is a SHA-256 that changes when an image, a label or the order does.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from harness.components.base import Component
from harness.components.below import everything
from harness.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

BUILT_IN = {
    "embedded": "harness.data.embedded:Embedded",
    "image-folder": "harness.data.sources:ImageFolderSource",
    "webdataset": "harness.data.sources:WebDatasetSource",
    "cifar": "harness.data.cifar:Cifar",
    "imagenet-npz": "harness.data.imagenet_npz:ImageNetNpz",
    "parquet": "harness.data.parquet:Parquet",
    "arrays": "harness.data.arrays:Arrays",
    "unlabelled-folder": "harness.data.unlabelled:UnlabelledFolder",
}

Split = Literal["train", "reference", "floor", "classifier", "classifier-test"]

MOST_SHOWN = 5  # classes in a sentence


class Images(Protocol):
    """The images of one split, by index: the contract of every image source."""

    @property
    def class_names(self) -> list[str]:
        """Label -> name; labels are 0 to len(class_names) - 1. Empty: images without labels, each
        of label 0, which then is the null label; models of them are unconditional."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 that changes when the images or their order do."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        """Image `index`, uint8 (H, W, channels), and its label. Raises Corrupt."""
        ...


@dataclass(frozen=True)
class Wanted:
    """Which images of a source: what a study's `data` section says, and which part."""

    name: str  # the data's identity
    path: str | None  # where it lies on this machine
    split: Split
    image_size: int  # of the study; a source that draws its images draws them so
    channels: int
    num_classes: int | None  # the label count that the study says, None: not said
    count: int | None  # how many, of a source that makes them
    seed: int
    index: Path | None = None  # a folder to keep what is slow to find out (headers of tars)

    @classmethod
    def training(cls, data: Any, path: str | None) -> Wanted:
        """The training images of a study's section `data`, which lie at `path` (None: are made)."""
        return cls(
            name=data.name,
            path=path,
            split="train",
            image_size=data.image_size,
            channels=data.channels,
            num_classes=data.num_classes,
            count=data.train_images,
            seed=data.seed,
        )


class Source(Component):
    """Where images come from."""

    kind: ClassVar[str] = "source"
    made: ClassVar[bool] = False  # images are made, as many as asked: no path, disjoint splits
    classes_made: ClassVar[int | None] = None  # of images that are made, where it never varies
    example_name: ClassVar[str | None] = None  # a data.name that its conformance is checked with
    layout: ClassVar[str] = "as its source reads them"  # in words, for who has to put files there

    @property
    def labelled(self) -> bool:
        """Do its images have labels? Where not, a study says `num_classes: 0`."""
        return True

    def check(self, data: Any) -> None:
        """Raise BadInput when the study's data section does not go with this source.

        `data` is harness.spec.schema.DataSettings.
        """

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """The settings with which this source reads what lies at `path`; None: it is not its own.

        `new --data` asks every source; one that says {} is named in the study without settings. It
        looks at names and headers, and is quick.
        """
        return None

    def example(self, folder: Path, seed: int, damaged: bool = False) -> Path | None:
        """Write a dozen small images as this source wants them, and return the study's data.path.

        For conformance (harness.testing), which can check what it is given alone. The images depend
        on `seed`; with `damaged`, exactly one of them cannot be read. None: there is no example,
        or (damaged) single images cannot be damaged without the whole being refused.
        """
        return None

    @abstractmethod
    def open(self, wanted: Wanted) -> Images:
        """The images. Raises BadInput and Missing, saying what was found."""

    def floors_apart(self, path: str) -> bool | None:
        """Are the images of split `floor` others than those of `reference`? None: not known.

        Where they are the same, floors are measured of what the reference leaves over.
        """
        return True if self.made else None

    def listing(self, path: str, split: Split = "train") -> Sequence[Path | str]:
        """The files that the source reads for a split, which lie at `path` or below it.

        Their names, sizes, times and checksums are kept by the stages that read them, so that data
        that changed under its name is noticed. By default everything there. Raises Missing,
        BadInput and OSError where it cannot be told. Headers and contents are not read: it is asked
        each time that a study is looked at.
        """
        return everything(path)

    def quick_classes(self, path: str) -> int | None:
        """How many classes there are, where names of files and folders alone tell it, else None.

        `plan` and `run` compare it with data.num_classes, before anything is encoded.
        """
        return None

    def quick_count(self, path: str) -> int | None:
        """How many training images there are, where names of files alone tell it, else None.

        `plan` and `run` compare it with data.train_images while the images are not encoded yet, and
        say the BadInput that it raises for a folder that `open` would refuse.
        """
        return None

    def quick_open(self, wanted: Wanted) -> Images | None:
        """The training images, where opening them each time that somebody looks is quick: names of
        files, headers, small files. Else None.

        `plan` and `run` say the BadInput that it raises before anything is started, and its notes.
        Of what is not opened they ask `quick_count` and `quick_fingerprint`.
        """
        return None

    def quick_fingerprint(self, path: str) -> str | None:
        """The fingerprint of the training images (all of them, what is held out included), where it
        is made without reading images (of names, sizes, an archive's list), else None.

        `plan` and `run` compare it with data.fingerprint while the images are not encoded yet, and
        where results do not know the files that they were made of.
        """
        return None


def other_fingerprint(place: str, found: str, said: str) -> str | None:
    """A sentence where images at `place` have another fingerprint than `said`, else None."""
    if found == said:
        return None
    return (
        f"{place} has the fingerprint {found}, and data.fingerprint says {said}: files were added, "
        "removed or replaced since it was written, or it is of other images"
    )


def checked_images(
    images: Images, place: str, *, num_classes: int | None = None, fingerprint: str | None = None
) -> Images:
    """`images` when they have the classes and the fingerprint that they must have, else BadInput.

    place: where they lie, for the message.
    """
    if num_classes is not None and len(images.class_names) != num_classes:
        if not images.class_names:
            raise BadInput(
                f"{place} has images without labels, and data.num_classes says {num_classes}; "
                "say data.num_classes: 0, which trains without classes"
            )
        raise BadInput(
            f"{place} has {len(images.class_names)} "
            f"{'class' if len(images.class_names) == 1 else 'classes'}, and data.num_classes says "
            f"{num_classes}; one of the two is wrong (is data.path the folder of class folders?)"
        )
    if fingerprint is not None:
        other = other_fingerprint(place, images.fingerprint, fingerprint)
        if other is not None:
            raise BadInput(other)
    return images


def refuse_empty_classes(labels: Any, class_names: list[str], advice: str) -> None:
    """Raise BadInput, naming them, if classes have no image.

    Sampling draws the labels of all classes alike: theirs would be embeddings never trained.
    """
    import numpy as np

    from harness.components.proportions import class_counts

    counts = class_counts(labels, len(class_names))
    empty = [class_names[label] for label in np.flatnonzero(counts == 0)]
    if empty:
        shown = ", ".join(empty[:MOST_SHOWN]) + (", ..." if len(empty) > MOST_SHOWN else "")
        raise BadInput(
            f"{len(empty)} of {len(class_names)} classes have no image ({shown}), so no model "
            f"could learn them and samples of them would mean nothing; {advice}"
        )
