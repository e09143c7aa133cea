"""CIFAR-10 and CIFAR-100 as their page publishes them: the binary version, and the Python version.

Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images". A record of the binary
version is its label (CIFAR-100: coarse, then fine), one byte each, and 3,072 bytes of pixels: 1,024
red, green and blue ones, row by row. The Python version's files are pickles, which are read without
being run (see harness.data.pickled). Both give the same images in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from harness.components.source import Images, Split, Wanted
from harness.data import pickled
from harness.data.file_source import FileSource, content_sha256
from harness.errors import BadInput, Missing

SIDE = 32
PIXELS = 3 * SIDE * SIDE
Labels = Literal["fine", "coarse"]


@dataclass(frozen=True)
class Layout:
    """Where one of the published versions has what."""

    folder: str  # that its archive unpacks to
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: dict[str, tuple[str, str]]  # of labels -> (file of their names, its key in a pickle)
    classes: dict[str, int]  # of labels -> how many
    keys: dict[str, str]  # of labels -> their key in a pickle
    binary: bool


_TEN = {"fine": 10}
_HUNDRED = {"fine": 100, "coarse": 20}
LAYOUTS = (
    Layout(
        "cifar-10-batches-bin",
        tuple(f"data_batch_{k}.bin" for k in range(1, 6)),
        ("test_batch.bin",),
        {"fine": ("batches.meta.txt", "")},
        _TEN,
        {},
        True,
    ),
    Layout(
        "cifar-100-binary",
        ("train.bin",),
        ("test.bin",),
        {"fine": ("fine_label_names.txt", ""), "coarse": ("coarse_label_names.txt", "")},
        _HUNDRED,
        {},
        True,
    ),
    Layout(
        "cifar-10-batches-py",
        tuple(f"data_batch_{k}" for k in range(1, 6)),
        ("test_batch",),
        {"fine": ("batches.meta", "label_names")},
        _TEN,
        {"fine": "labels"},
        False,
    ),
    Layout(
        "cifar-100-python",
        ("train",),
        ("test",),
        {"fine": ("meta", "fine_label_names"), "coarse": ("meta", "coarse_label_names")},
        _HUNDRED,
        {"fine": "fine_labels", "coarse": "coarse_labels"},
        False,
    ),
)


class CifarImages:
    """The images of one part of CIFAR, uint8 (32, 32, 3), in the order of the files.

    Raises Missing where none of the published layouts is found, BadInput for files that are cut
    off, labels beyond the classes, or coarse labels of CIFAR-10.
    """

    def __init__(self, root: Path, test: bool = False, labels: Labels = "fine") -> None:
        folder, layout = _find(root)
        if labels not in layout.classes:
            raise BadInput(f"{folder} is CIFAR-10, which has no coarse labels: leave labels out")
        names = layout.test if test else layout.train
        absent = [name for name in names if not (folder / name).is_file()]
        if absent:
            raise Missing(f"{folder} lacks {', '.join(absent)}: unpack the whole archive there")
        self.paths = [folder / name for name in names]
        parts = [_binary(p, layout, labels) if layout.binary else _python(p, layout, labels)
                 for p in self.paths]  # fmt: skip
        self._pixels = [pixels for pixels, _ in parts]
        self._starts = np.cumsum([0, *(len(pixels) for pixels in self._pixels)])
        self.labels = np.concatenate([found for _, found in parts])
        count = layout.classes[labels]
        if len(self.labels) == 0 or self.labels.min() < 0 or self.labels.max() >= count:
            raise BadInput(f"{folder} is damaged: labels go beyond 0 to {count - 1}")
        self.class_names = _names(folder, layout, labels)
        if len(self.class_names) != count:
            raise BadInput(
                f"{folder / layout.names[labels][0]} names {len(self.class_names)} classes, "
                f"there are {count}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        planes = self._pixels[part][index - self._starts[part]].reshape(3, SIDE, SIDE)
        return np.ascontiguousarray(planes.transpose(1, 2, 0)), int(self.labels[index])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the files' names and contents."""
        return content_sha256(self.paths)


class Cifar(FileSource):
    """CIFAR-10 or CIFAR-100, as published: the binary or the Python version, unpacked."""

    name = "cifar"
    layout: ClassVar[str] = (
        "the folder that an archive of CIFAR unpacks to, binary or Python version"
    )

    labels: Labels = "fine"
    "CIFAR-100's labels: fine (100 classes) or coarse (20). CIFAR-10 has fine ones alone."

    def open(self, wanted: Wanted) -> Images:
        return CifarImages(self.path_of(wanted), wanted.split == "floor", self.labels)

    def listing(self, path: str, split: Split = "train") -> list[Path]:
        """The files of a split, and those of the classes' names."""
        folder, layout = _find(Path(path))
        images = layout.test if split == "floor" else layout.train
        named = (*images, *(file for file, _ in layout.names.values()))
        return [folder / name for name in dict.fromkeys(named) if (folder / name).is_file()]

    def quick_classes(self, path: str) -> int | None:
        try:
            return _find(Path(path))[1].classes.get(self.labels)
        except Missing:
            return None

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """Does one of the published layouts lie here?"""
        try:
            folder, layout = _find(path)
        except Missing:
            return None
        return {} if all((folder / name).is_file() for name in layout.train) else None

    def example(self, folder: Path, seed: int, damaged: bool = False) -> Path | None:
        """CIFAR-10's binary version with three images a file."""
        if damaged or self.labels == "coarse":
            return None  # every value of a pixel is a pixel
        draws = np.random.default_rng(seed)
        root = folder / LAYOUTS[0].folder
        root.mkdir(parents=True, exist_ok=True)
        for i, name in enumerate((*LAYOUTS[0].train, *LAYOUTS[0].test)):
            records = draws.integers(0, 256, (3, 1 + PIXELS), dtype=np.uint8)
            records[:, 0] = (3 * i + np.arange(3)) % 10  # each class has an image for training
            (root / name).write_bytes(records.tobytes())
        (root / "batches.meta.txt").write_text("\n".join(f"class {k}" for k in range(10)) + "\n\n")
        return folder


def _find(root: Path) -> tuple[Path, Layout]:
    """The folder, at `root` or below it, and which of the published layouts it has."""
    for layout in LAYOUTS:
        for folder in (root, root / layout.folder):
            if folder.is_dir() and all(
                (folder / name).is_file()
                for name in (layout.train[0], *(file for file, _ in layout.names.values()))
            ):
                return folder, layout
    raise Missing(
        f"{root} holds none of CIFAR's published versions: give data.path the folder that its "
        f"archive unpacks to ({', '.join(layout.folder for layout in LAYOUTS)})"
    )


def _binary(path: Path, layout: Layout, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 3072) uint8 and labels (N,) of one file of the binary version."""
    heads = len(layout.classes)  # bytes of labels before the pixels: coarse, fine
    size = path.stat().st_size
    if size == 0 or size % (heads + PIXELS):
        raise BadInput(
            f"{path} has {size:,} bytes, not a multiple of the {heads + PIXELS:,} of a record: it "
            "is cut off, fetch it again"
        )
    records = np.fromfile(path, np.uint8).reshape(-1, heads + PIXELS)
    at = 0 if labels == "coarse" else heads - 1
    return records[:, heads:], records[:, at].astype(np.int64)


def _python(path: Path, layout: Layout, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """The same of one file of the Python version."""
    content = pickled.read(path)
    key = layout.keys[labels]
    if not isinstance(content, dict) or "data" not in content or key not in content:
        raise BadInput(f"{path} is not a batch of CIFAR: it lacks data or {key}")
    pixels, found = content["data"], content[key]
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.shape != (len(found), PIXELS)
        or not all(isinstance(label, int) for label in found)
    ):
        raise BadInput(f"{path} is not a batch of CIFAR: its data are not {PIXELS} bytes a label")
    return pixels, np.array(found, dtype=np.int64)


def _names(folder: Path, layout: Layout, labels: Labels) -> list[str]:
    file, key = layout.names[labels]
    if layout.binary:
        text = (folder / file).read_text(errors="replace")
        return [line.strip() for line in text.splitlines() if line.strip()]
    content = pickled.read(folder / file)
    names = content.get(key) if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadInput(f"{folder / file} lacks {key}: it is not of CIFAR's Python version")
    return names
