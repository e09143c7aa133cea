"""ImageNet-32 and ImageNet-64 as published in npz files: train_data_batch_1.npz to _10, val_data.

Chrabaszcz, Loshchilov and Hutter 2017, "A Downsampled Variant of ImageNet" (1707.08819). Each file
holds `data`, uint8 (N, 3 S S), planes of red, green and blue, and `labels` from 1 to 1,000. They
are 100 MB to 1.6 GB: mapped where they are stored, and one at a time in memory where they are
compressed, which suits the order in which images are encoded.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.components.source import Images, Split, Wanted
from harness.data import npz
from harness.data.file_source import FileSource
from harness.errors import BadInput, Missing

TRAIN = re.compile(r"train_data(_batch_\d+)?\.npz")
VAL = re.compile(r"val_data\.npz")


class ImageNetNpzImages:
    """The images of some of these files, uint8 (S, S, 3), file after file; labels from 0.

    num_classes: by default 1,000. Raises Missing where no file lies, BadInput for one that is not
    as published.
    """

    def __init__(self, root: Path, val: bool = False, num_classes: int | None = None) -> None:
        self.paths = _files(root, VAL if val else TRAIN)
        self._lock, self._open = threading.Lock(), (-1, np.empty(0))
        labels = []
        for path in self.paths:
            found = np.asarray(npz.array(path, "labels"))
            if found.ndim != 1 or found.dtype.kind not in "iu":
                raise BadInput(f"{path}: labels are {found.dtype} {found.shape}, not whole numbers")
            labels.append(found.astype(np.int64) - 1)
        self.labels = np.concatenate(labels)
        self._starts = np.cumsum([0, *map(len, labels)])
        count = num_classes or 1000
        if not len(self.labels):
            raise BadInput(f"{root}: the npz files hold no images")
        low, high = int(self.labels.min()) + 1, int(self.labels.max()) + 1
        if low < 1 or high > count:
            raise BadInput(
                f"{root}: labels {low} to {high}; as published they go from 1 to {count}"
                + (" (data.num_classes)" if num_classes else "")
            )
        self.class_names = [str(label + 1) for label in range(count)]
        self.side = math.isqrt(self._part(0).shape[1] // 3)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = self._part(part)[index - self._starts[part]]
        planes = np.array(row).reshape(3, self.side, self.side)
        return np.ascontiguousarray(planes.transpose(1, 2, 0)), int(self.labels[index])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the files' names and of the CRC-32 that they keep of their content."""
        return _fingerprint(self.paths)

    def _part(self, part: int) -> np.ndarray:
        """The pixels of one file, (N, 3 S S); the last one asked for stays open."""
        with self._lock:
            at, pixels = self._open
            if at != part:
                path = self.paths[part]
                pixels = npz.array(path, "data")
                rows = self._starts[part + 1] - self._starts[part]
                side = math.isqrt(pixels.shape[-1] // 3) if pixels.ndim == 2 else 0
                if pixels.dtype != np.uint8 or pixels.shape != (rows, 3 * side * side):  # type: ignore[comparison-overlap]
                    raise BadInput(
                        f"{path}: data are {pixels.dtype} {pixels.shape}; as published they are "
                        f"uint8 ({rows}, 3 x side x side)"
                    )
                if hasattr(self, "side") and side != self.side:
                    raise BadInput(
                        f"{path} has images of {side} pixels, {self.paths[0]} of {self.side}"
                    )
                self._open = (part, pixels)
            return pixels


class ImageNetNpz(FileSource):
    """ImageNet-32 or ImageNet-64 in the npz files of the downsampled ImageNet."""

    name = "imagenet-npz"
    layout: ClassVar[str] = "the folder of train_data_batch_1.npz and the others"

    def open(self, wanted: Wanted) -> Images:
        return ImageNetNpzImages(
            self.path_of(wanted), wanted.split == "floor", wanted.num_classes or None
        )

    def listing(self, path: str, split: Split = "train") -> list[Path]:
        """The npz files of a split."""
        return _files(Path(path), VAL if split == "floor" else TRAIN)

    def quick_fingerprint(self, path: str) -> str | None:
        return _fingerprint(_files(Path(path), TRAIN))

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """Do files of these names lie here?"""
        found = path.is_dir() and any(TRAIN.fullmatch(f.name) for f in path.glob("*.npz"))
        return {} if found else None

    def example(self, folder: Path, seed: int, damaged: bool = False) -> Path | None:
        """Two training files and one for validation, of 8 x 8 images."""
        if damaged:
            return None  # a file of another checksum is refused as a whole
        draws = np.random.default_rng(seed)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("train_data_batch_1", "train_data_batch_2", "val_data"):
            pixels = draws.integers(0, 256, (6, 3 * 8 * 8), dtype=np.uint8)
            labels = draws.integers(1, 1001, 6)
            np.savez(folder / f"{name}.npz", data=pixels, labels=labels)
        return folder


def _fingerprint(paths: Sequence[Path]) -> str:
    lines = [repr((path.name, npz.checksums(path))) for path in paths]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _files(root: Path, pattern: re.Pattern[str]) -> list[Path]:
    """The files of a part, batch 2 before batch 10."""
    found = [p for p in root.glob("*.npz") if pattern.fullmatch(p.name)] if root.is_dir() else []
    if not found:
        raise Missing(
            f"{root} holds no {'val_data.npz' if pattern is VAL else 'train_data_batch_1.npz'}: "
            "give data.path the folder with the npz files of the downsampled ImageNet"
        )
    return sorted(found, key=lambda p: [int(n) for n in re.findall(r"\d+", p.name)])
