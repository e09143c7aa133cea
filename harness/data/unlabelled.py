"""Folders of images without labels: every image below the folder, at any depth, is of no class.

Models of them are unconditional: `num_classes: 0`, the only label, 0, is the null label, and
guidance has nothing to lead away from.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.components.below import files_below
from harness.components.source import Images, Split, Wanted
from harness.data.file_source import FileSource
from harness.data.folder import (
    ImageFolder,
    _folders,
    _is_image,
    floors_apart,
    is_image_else_count,
    of_other_kinds,
    split_folder,
)
from harness.errors import BadInput


class UnlabelledImages(ImageFolder):
    """All images below a folder, in the order of their paths, each of label 0; no class names.

    Raises Missing if the folder does not exist, BadInput if it holds no image.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        self.root = split_folder(Path(root), split)
        self.class_names, self.loose = [], 0
        self.passed_over = Counter()
        found = sorted(files_below(self.root, is_image_else_count(self.passed_over)))
        if not found:
            others = of_other_kinds(self.passed_over)
            raise BadInput(f"{self.root} holds no images" + (f": {others}" if others else ""))
        self.files = [(path, 0) for path in found]

    @property
    def labels(self) -> np.ndarray:
        """(N,) zeros: the null label."""
        return np.zeros(len(self.files), dtype=np.int64)


def holds_class_folders(root: Path) -> bool:
    """Does a folder look like one of class folders: is there an image below its first ones?"""
    place = split_folder(root, "train")
    return any(any(files_below(place / name, _is_image)) for name in sorted(_folders(place))[:3])


class UnlabelledFolder(FileSource):
    """A folder of images without labels, for unconditional models; folders in it mean nothing."""

    name = "unlabelled-folder"
    layout: ClassVar[str] = "a folder of images"

    @property
    def labelled(self) -> bool:
        """Never: every label is the null label."""
        return False

    def open(self, wanted: Wanted) -> Images:
        split = "val" if wanted.split == "floor" else "train"
        return UnlabelledImages(self.path_of(wanted), split)

    def floors_apart(self, path: str) -> bool | None:
        """Is there a folder `val`?"""
        return floors_apart(Path(path))

    def listing(self, path: str, split: Split = "train") -> list[Path]:
        """Every image of a split."""
        images = UnlabelledImages(path, "val" if split == "floor" else "train")
        return [images.root / name for name, _ in images.files]

    def quick_open(self, wanted: Wanted) -> Images | None:
        return self.open(wanted)

    def quick_count(self, path: str) -> int | None:
        return len(self.listing(path))

    def quick_fingerprint(self, path: str) -> str | None:
        return UnlabelledImages(path).fingerprint

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """A folder with loose images and no folder of images beside them."""
        if not path.is_dir() or holds_class_folders(path):
            return None
        place = split_folder(path, "train")
        return {} if any(_is_image(entry.name) for entry in place.iterdir()) else None

    def example(self, folder: Path, seed: int, damaged: bool = False) -> Path | None:
        """Twelve PNGs."""
        from PIL import Image

        from harness.data.examples import drawn

        for k, pixels in enumerate(drawn(seed)):
            path = folder / f"{k:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        if damaged:
            path.write_bytes(b"no image")
        return folder
