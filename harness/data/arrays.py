"""Images and labels as numpy arrays: an npz file, a folder of npz files, or a folder of npy files.

The images are uint8, (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1, 3 or 4; labels are whole
numbers from 0, or texts, whose sorted names are the classes. Where there are several files of
which some are named for training and some for a test, the split chooses (see file_source.of_split).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.components.source import Images, Split, Wanted
from harness.data import npz
from harness.data.file_source import FileSource, content_sha256, of_split
from harness.data.images import decoded
from harness.errors import BadInput, Missing

CHANNELS = (1, 3, 4)
# What arrays of images and labels are often called, for `new --data`.
USUAL = (("images", "labels"), ("x_train", "y_train"), ("data", "labels"), ("arr_0", "arr_1"),
         ("x", "y"), ("X", "y"), ("image", "label"))  # fmt: skip


class StoredArrays:
    """The images of some pairs of arrays, uint8 (H, W, 1 or 3), pair after pair.

    pairs: (images, labels) each; labels None: the images have none. where: names them in errors.
    Raises BadInput for arrays that are no images, or do not go together.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[np.ndarray, np.ndarray | None]],
        where: Sequence[str],
        fingerprint: str,
        num_classes: int | None = None,
    ) -> None:
        self.fingerprint = fingerprint
        self._parts = [
            _channels_last(images, at) for (images, _), at in zip(pairs, where, strict=True)
        ]
        self._starts = np.cumsum([0, *map(len, self._parts)])
        if not self._starts[-1]:
            raise BadInput(f"{where[0]}: there are no images in it")
        if any(labels is None for _, labels in pairs):
            self.labels = np.zeros(self._starts[-1], dtype=np.int64)
            self.class_names: list[str] = []
            return
        found = []
        for (_, labels), part, at in zip(pairs, self._parts, where, strict=True):
            assert labels is not None
            flat = labels.reshape(-1) if labels.shape == (len(part), 1) else labels
            if flat.shape != (len(part),):
                raise BadInput(f"{at}: {len(part):,} images with labels of shape {labels.shape}")
            found.append(flat)
        self.labels, self.class_names = numbered(np.concatenate(found), where[0], num_classes)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        image = np.array(self._parts[part][index - self._starts[part]], order="C")
        if image.shape[2] == 4:  # transparency is dropped, as of files
            image = decoded(np.ascontiguousarray(image[..., :3]), "alpha")
        return image, int(self.labels[index])


def numbered(labels: np.ndarray, at: str, num_classes: int | None) -> tuple[np.ndarray, list[str]]:
    """Labels (N,) as numbers from 0, and the classes' names. Texts are numbered in their order.

    Raises BadInput for labels that are neither, or beyond num_classes.
    """
    if labels.dtype.kind in "US":
        names, numbers = np.unique(labels.astype(str), return_inverse=True)
        return numbers.astype(np.int64).reshape(-1), [str(name) for name in names]
    if labels.dtype.kind not in "iu":
        raise BadInput(f"{at}: labels are {labels.dtype}: give whole numbers from 0, or texts")
    low, high = int(labels.min()), int(labels.max())
    count = num_classes or high + 1
    if low < 0 or high >= count:
        raise BadInput(
            f"{at}: labels go from {low} to {high}; expected 0 to {count - 1}"
            + (" (data.num_classes)" if num_classes else "")
        )
    if low > 0 and not num_classes:
        raise BadInput(f"{at}: labels go from {low} to {high}: number them from 0")
    return labels.astype(np.int64), [str(label) for label in range(count)]


def _channels_last(images: np.ndarray, at: str) -> np.ndarray:
    """Images as (N, H, W, C), without a copy."""
    if images.dtype != np.uint8:
        raise BadInput(
            f"{at}: images are {images.dtype}; give uint8 levels from 0 to 255 (it "
            "is not known which floats are black and white)"
        )
    if images.ndim == 3:
        return images[..., None]
    if images.ndim == 4 and images.shape[3] in CHANNELS:
        return images
    if images.ndim == 4 and images.shape[1] in CHANNELS:
        return images.transpose(0, 2, 3, 1)
    raise BadInput(
        f"{at}: images are {images.shape}; expected (N, H, W), (N, H, W, C) or (N, C, H, W) with "
        "1, 3 or 4 channels"
    )


class Arrays(FileSource):
    """Images and labels in numpy arrays: npz files, or images.npy and labels.npy in a folder."""

    name = "arrays"
    layout: ClassVar[str] = "an npz or npy file of images (and labels), or a folder of such files"

    images: str = "images"
    "The array of images: its name in an npz, or its file's without .npy."

    labels: str | None = "labels"
    "The array of labels; null: the images have none, and models of them are unconditional."

    @property
    def labelled(self) -> bool:
        """Does the study name an array of labels?"""
        return self.labels is not None

    def open(self, wanted: Wanted) -> Images:
        path = self.path_of(wanted)
        files = self._files(path, wanted.split)
        pairs = [self._pair(file) for file in files]
        return StoredArrays(
            pairs, [str(f) for f in files], self._fingerprint(files), wanted.num_classes or None
        )

    def quick_fingerprint(self, path: str) -> str | None:
        """That of npz files, which keep a CRC-32 of each array."""
        files = self._files(Path(path), "train")
        return self._fingerprint(files) if files[0].suffix == ".npz" else None

    def listing(self, path: str, split: Split = "train") -> list[Path]:
        """The files that hold the arrays of a split."""
        found = self._files(Path(path), split)
        beside = self._labels_of(found[0])
        return found if beside is None else [*found, beside]

    def _files(self, path: Path, split: Split) -> list[Path]:
        """The npz files of a split; or the npy file of images, whose labels lie beside it."""
        if path.is_file():
            return [path]
        if (path / f"{self.images}.npy").is_file():
            return [path / f"{self.images}.npy"]
        if found := of_split(list(path.glob("*.npz")), split):
            return found
        raise Missing(
            f"{path} holds neither {self.images}.npy nor npz files: give data.path {self.layout}, "
            "and data.source {name: arrays, images: NAME, labels: NAME} their names"
        )

    def _labels_of(self, file: Path) -> Path | None:
        """The file of labels beside a file of images; None: they lie in it, or there are none."""
        if file.suffix != ".npy" or self.labels is None:
            return None
        return file.with_name(f"{self.labels}.npy")

    def _pair(self, file: Path) -> tuple[np.ndarray, np.ndarray | None]:
        if file.suffix == ".npy":
            beside = self._labels_of(file)
            if beside is not None and not beside.is_file():
                raise Missing(f"{beside} is not there: the labels (null: there are none)")
            return _npy(file), None if beside is None else _npy(beside)
        labels = None if self.labels is None else npz.array(file, self.labels)
        return npz.array(file, self.images), labels

    def _fingerprint(self, files: Sequence[Path]) -> str:
        """A digest of the contents: by CRC-32 where the file has it, else by SHA-256."""
        if files[0].suffix == ".npy":
            beside = self._labels_of(files[0])
            return content_sha256([*files, *([] if beside is None else [beside])])
        lines = [repr((f.name, self.images, self.labels, npz.checksums(f))) for f in files]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """Arrays of the usual names; where only one of images is there, they are unlabelled."""
        if path.suffix == ".npz" and path.is_file():
            return _usual(set(npz.members(path)))
        if path.suffix == ".npy" and path.is_file():
            beside = path.with_name("labels.npy").is_file() and path.stem != "labels"
            return {} if beside else {"labels": None}
        if not path.is_dir():
            return None
        if (found := _usual({p.stem for p in path.glob("*.npy")})) is not None:
            return found
        first = next(iter(sorted(path.glob("*.npz"))), None)
        return None if first is None else _usual(set(npz.members(first)))

    def example(self, folder: Path, seed: int, damaged: bool = False) -> Path | None:
        """An npz of twelve images of three classes."""
        if damaged:
            return None  # every value of a pixel is a pixel
        draws = np.random.default_rng(seed)
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, np.ndarray] = {
            self.images: draws.integers(0, 256, (12, 9, 8, 3), dtype=np.uint8)
        }
        if self.labels is not None:
            arrays[self.labels] = np.arange(12) % 3
        np.savez(folder / "data.npz", **arrays)  # type: ignore[arg-type]
        return folder / "data.npz"


def _usual(names: set[str]) -> dict[str, Any] | None:
    """The settings for arrays of these names."""
    for images, labels in USUAL:
        if images in names:
            known = labels if labels in names else None
            found: dict[str, Any] = {} if images == "images" else {"images": images}
            return found if known == "labels" else {**found, "labels": known}
    return None


def _npy(path: Path) -> np.ndarray:
    """A memory map of one npy file."""
    try:
        with open(path, "rb") as file:
            return npz.mapped(path, file, path.stat().st_size)
    except npz.DAMAGED as error:
        raise BadInput(f"{path} is not a whole npy file of numbers: {npz.said(error)}") from None
