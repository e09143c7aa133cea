"""Image folders: one folder per class, as ImageNet is usually unpacked."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.components.below import files_below, is_litter
from harness.data import alike
from harness.data.images import Corrupt, read_image
from harness.errors import BadInput, HarnessError, Missing

EXTENSIONS = {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"}
MOST_KINDS = 5  # extensions in a sentence
# Images of kinds that are not read here: reported wherever they lie among others.
OTHER_IMAGES = {
    *(".avif", ".heic", ".heif", ".jp2", ".j2k", ".jpx", ".jxl", ".jfif", ".tga", ".exr", ".hdr"),
    *(".dds", ".pcx", ".qoi", ".pbm", ".pgm", ".pnm", ".apng", ".svg", ".psd", ".ico", ".icns"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw", ".orf", ".rw2"),
}
# Where a split may lie below the given folder: torchvision's layout and Kaggle's archive.
SPLIT_FOLDERS = ("{split}", "ILSVRC/Data/CLS-LOC/{split}", "Data/CLS-LOC/{split}")
SPLITS = {"train", "val", "valid", "validation", "test"}  # what stands beside a split's folder


class ImageFolder:
    """Images under root/class/**: labels are the sorted class folders' positions.

    `root` holds the class folders, or a split's folder that does (train/class/..., or ImageNet's
    ILSVRC/Data/CLS-LOC/train/class/...). Files that are not images by extension, and litter, are
    passed over; links to folders are followed; the order is by path, the same on every machine.
    Raises Missing if the folder does not exist, BadInput if it holds no class or an empty one.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        self.root = split_folder(Path(root), split)
        self.class_names = sorted(_folders(self.root))
        self.loose = sum(1 for entry in self.root.iterdir() if _is_image(entry.name))
        if not self.class_names:
            hint = (
                f"its {_lie(self.loose)} loose; put them into one folder per class"
                if self.loose
                else "it is empty"
            )
            raise BadInput(f"{self.root} has no class folders: {hint}")
        self.files: list[tuple[str, int]] = []  # (path below root, label)
        empty: list[str] = []
        beside = Counter[str]()  # what lies in those
        seen: dict[str, str] = {}
        self.passed_over: Counter[str] = Counter()  # extension of no image -> how many files
        for label, name in enumerate(self.class_names):
            others = Counter[str]()
            found = _images_of(self.root, name, seen, others)
            self.files.extend((path, label) for path in found)
            self.passed_over += others
            if not found:
                empty.append(name)
                beside += others
        if empty:
            held = of_other_kinds(beside)
            raise BadInput(
                f"{self.root}: {len(empty)} class "
                f"{'folder holds' if len(empty) == 1 else 'folders hold'} no images "
                f"({', '.join(empty[:5])}{', ...' if len(empty) > 5 else ''})"
                f"{f' but {held}, or' if held else ';'} remove "
                f"{'it or fill it' if len(empty) == 1 else 'them or fill them'}: every folder is a "
                "class"
            )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        path, label = self.files[index]
        try:
            content = (self.root / path).read_bytes()
        except OSError as error:
            raise Corrupt(path, f"cannot be read ({error.strerror})") from None
        return read_image(content, path), label

    @cached_property
    def labels(self) -> np.ndarray:
        """The labels, (N,) int64."""
        return np.fromiter((label for _, label in self.files), np.int64, len(self.files))

    @property
    def notes(self) -> list[str]:
        """Sentences on files that are not read, and on classes whose names look alike."""
        found = [f"{self.root}: {said}" for said in alike.sentences(self.class_names)]
        if self.loose:
            found.append(
                f"{self.root}: {_lie(self.loose)} beside the class folders: left out, of no class"
            )
        images = of_other_kinds(self.passed_over)
        if images is not None:
            found.append(f"{self.root}: left out are {images}")
        others = {k: n for k, n in self.passed_over.items() if k not in OTHER_IMAGES}
        if total := sum(others.values()):
            many = "1 file, not an image" if total == 1 else f"{total:,} files, not images"
            found.append(f"{self.root}: {many} by name, passed over ({_kinds(others)})")
        return found

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the file list: paths below the root and sizes in bytes (not contents)."""
        digest, root = hashlib.sha256(), f"{self.root}/"
        for path, _ in self.files:  # a million: pathlib would take four times as long
            line = f"{path}\0{_bytes(root + path)}\n"
            digest.update(line.encode(errors="surrogateescape"))
        return digest.hexdigest()


def _lie(count: int) -> str:
    """ "1 image lies", "2 images lie"."""
    return "1 image lies" if count == 1 else f"{count:,} images lie"


def listing(root: str | Path, split: str = "train") -> list[str]:
    """The image files of a split: those that ImageFolder reads, by their whole paths."""
    top, seen = split_folder(Path(root), split), dict[str, str]()
    return [
        f"{top}/{path}" for name in sorted(_folders(top)) for path in _images_of(top, name, seen)
    ]


def of_other_kinds(passed_over: Mapping[str, int]) -> str | None:
    """How many files are images of kinds that are not read, and what to do; None: there are none.

    >>> of_other_kinds({".avif": 2, ".txt": 3})
    '2 images of kinds that are not read (2 .avif): convert them to PNG'
    """
    found = {k: n for k, n in passed_over.items() if k in OTHER_IMAGES}
    if not found:
        return None
    total = sum(found.values())
    what = "1 image of a kind that is" if total == 1 else f"{total:,} images of kinds that are"
    them = "it" if total == 1 else "them"
    return f"{what} not read ({_kinds(found)}): convert {them} to PNG"


def _kinds(found: Mapping[str, int]) -> str:
    """The most frequent extensions, each with how many files have it."""
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    shown = ", ".join(f"{n:,} {kind}" for kind, n in ordered[:MOST_KINDS])
    return f"{shown}, ..." if len(ordered) > MOST_KINDS else shown


def is_image_else_count(others: Counter[str]) -> Callable[[str], bool]:
    """Takes names of images, and counts the extensions of all other names."""

    def accept(file: str) -> bool:
        if _is_image(file):
            return True
        others[os.path.splitext(file)[1].lower() or "without an extension"] += 1
        return False

    return accept


def _images_of(
    root: Path, name: str, seen: dict[str, str], others: Counter[str] | None = None
) -> list[str]:
    """Paths of the images in a class folder, at any depth, as name/..., sorted.

    seen: the folders read; others: counts what is no image by its extension.
    """
    accept = _is_image if others is None else is_image_else_count(others)
    found = files_below(root / name, accept, seen)
    return sorted([f"{name}/{path}" for path in found])


def _bytes(path: str) -> int:
    """The size of a file; -1 of one that cannot be read (a link to nothing): a corrupt image."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def class_folders(root: str | Path) -> list[str]:
    """The names of the class folders of training, sorted; none where `root` is no folder."""
    place = Path(root)
    return sorted(_folders(split_folder(place, "train"))) if place.is_dir() else []


def split_folder(root: Path, split: str) -> Path:
    """The folder of a split below `root`; without one that of training, or else `root` itself.

    Two splits have one folder or have no image in common: a floor is never measured of images that
    the reference was made of under another name. CIFAR-100 has a class named train: such a folder,
    of images and beside other classes, is not a split's. Raises Missing, and BadInput where
    training would take a folder `val` for a class of its own.
    """
    if root.is_file():
        raise BadInput(
            f"{root} is a file: data.path is the folder with the images (unpack an archive; tars "
            "can be read as they are, with data.source: webdataset)"
        )
    if not root.is_dir():
        raise Missing(
            f"{root} is not a folder: give data.path the folder with the images "
            "(one folder per class, or tar shards)"
        )
    own, training = _split_below(root, split), _split_below(root, "train")
    if own is None and training is None and (other := _split_below(root, "val")) is not None:
        raise BadInput(
            f"{other} holds images that are not for training, and there is no folder train beside "
            f"it: put the others of {root} into {other.with_name('train')}"
        )
    return own or training or root


def floors_apart(root: Path) -> bool | None:
    """Is there a folder `val` beside that of training? None: said where it is opened."""
    try:
        return split_folder(root, "val") != split_folder(root, "train")
    except (HarnessError, OSError):
        return None


def _split_below(root: Path, split: str) -> Path | None:
    for pattern in SPLIT_FOLDERS:
        candidate = root / pattern.format(split=split)
        if candidate.is_dir() and not _is_class(candidate):
            return candidate
    return None


def _is_class(folder: Path) -> bool:
    """Does it hold images and no folders, and stand beside folders that are no splits?"""
    if _folders(folder) or not any(_is_image(name) for name in os.listdir(folder)):
        return False
    return any(name not in SPLITS for name in _folders(folder.parent) if name != folder.name)


def _folders(place: Path) -> list[str]:
    """The names of the folders in a folder, without litter.

    Raises BadInput for a link to nothing that may have been one: a class would be lost.
    """
    found = []
    for entry in os.scandir(place):
        if is_litter(entry.name):
            continue
        if entry.is_dir():
            found.append(entry.name)
        elif entry.is_symlink() and "." not in entry.name and not os.path.exists(entry.path):
            raise BadInput(
                f"{entry.path} is a link to nothing: restore what it names, or remove it"
            )
    return found


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in EXTENSIONS and not is_litter(name)
