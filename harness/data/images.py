"""Image sources: anything with a length whose item i is (uint8 HWC array, label).

Files that cannot be read raise Corrupt for their item alone, so that whoever reads a million of
them can count, list and skip.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from harness.data.crop import too_narrow
from harness.errors import BadInput, HarnessError

if TYPE_CHECKING:
    from PIL import Image


class Corrupt(HarnessError):
    """One image that cannot be read: its path and why. The rest of the source is fine."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Images(Protocol):
    """What every image source offers."""

    @property
    def class_names(self) -> list[str]:
        """Label -> name; labels are 0 to len(class_names) - 1."""
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
class ArrayImages:
    """Images that are in memory: an embedded set."""

    images: np.ndarray  # uint8 (N, H, W, C)
    labels: np.ndarray  # int (N,)
    class_names: list[str]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise BadInput(
                f"images must be uint8 (N, H, W, C), not {self.images.dtype} {self.images.shape}"
            )
        if len(self.images) != len(self.labels) or len(self.images) == 0:
            raise BadInput(f"{len(self.images)} images with {len(self.labels)} labels")
        if self.labels.min() < 0 or self.labels.max() >= len(self.class_names):
            raise BadInput(
                f"labels {self.labels.min()} to {self.labels.max()} for "
                f"{len(self.class_names)} classes"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr((self.images.shape, self.class_names)).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, dtype=np.int64).data)
        return digest.hexdigest()


def open_images(
    name: str,
    source: str = "embedded",
    path: str | None = None,
    *,
    split: str = "train",
    image_size: int = 8,
    channels: int = 3,
    count: int | None = None,
    seed: int = 0,
    num_classes: int | None = None,
    fingerprint: str | None = None,
    index: str | Path | None = None,
) -> Images:
    """The images a study's data section names.

    source "embedded": `name` is glyphs or digits, drawn at image_size x image_size; "image-folder"
    and "webdataset" are read from `path` (see folder.ImageFolder and shards.TarShards), with their
    own sizes. count: how many of an embedded set. num_classes, fingerprint: what the data must
    have, when given. index: a folder that keeps what the headers of tars said (see headers.read).
    Raises BadInput for an unknown source or set, or data that is not as it must be; Missing if
    `path` is not there.
    """
    images = _open(name, source, path, split, image_size, channels, count, seed, num_classes, index)
    place = path or f"the embedded set {name}"
    if num_classes is not None and len(images.class_names) != num_classes:
        raise BadInput(
            f"{place} has {len(images.class_names)} classes, and data.num_classes says "
            f"{num_classes}; one of the two is wrong (is data.path the folder of class folders?)"
        )
    if fingerprint is not None and images.fingerprint != fingerprint:
        raise BadInput(
            f"{place} has the fingerprint {images.fingerprint}, and data.fingerprint says "
            f"{fingerprint}: files were added, removed or replaced"
        )
    return images


def _open(
    name: str,
    source: str,
    path: str | None,
    split: str,
    image_size: int,
    channels: int,
    count: int | None,
    seed: int,
    num_classes: int | None,
    index: str | Path | None,
) -> Images:
    if source == "embedded":
        from harness.data import digits, glyphs

        renderers: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
            "glyphs": glyphs.render,
            "digits": digits.render,
        }
        if name not in renderers:
            raise BadInput(f"no embedded data set {name!r}; there are {', '.join(renderers)}")
        if count is None:
            raise BadInput(f"how many images of {name!r}? Give data.train_images")
        images, labels = renderers[name](
            split, count, image_size=image_size, channels=channels, seed=seed
        )
        return ArrayImages(images, labels, [str(digit) for digit in range(glyphs.NUM_CLASSES)])
    if source not in ("image-folder", "webdataset"):
        raise BadInput(f"no data source {source!r}; there are embedded, image-folder, webdataset")
    if path is None:
        raise BadInput(f"data {name!r} is read from files: give data.path")
    if source == "image-folder":
        from harness.data.folder import ImageFolder

        return ImageFolder(path, split=split)
    from harness.data.shards import TarShards

    return TarShards(path, split=split, num_classes=num_classes, index=index)


def read_image(file: BinaryIO | bytes, path: str) -> np.ndarray:
    """Decode one image file to RGB, uint8 (H, W, 3). `path` names it in errors.

    Grayscale, palette and CMYK images are converted, transparency is dropped (as ADM does), and 16
    bits are scaled to 8: Pillow alone would clip them, and nearly every pixel would be white.
    Raises Corrupt if it cannot be decoded, or is too narrow for a square to be cut from it.
    """
    from PIL import Image

    try:
        with Image.open(BytesIO(file) if isinstance(file, bytes) else file) as image:
            if reason := too_narrow(*image.size):  # the header's: nothing is decoded yet
                raise Corrupt(path, reason)
            image.load()
            return to_rgb(image)
    except Corrupt:
        raise
    # Pillow raises nearly anything on a damaged file, SyntaxError and struct.error included.
    except Exception as error:
        reason = re.sub(r" *<[^<>]* at 0x[0-9a-fA-F]+>", "", str(error))  # differs in every run
        raise Corrupt(path, f"cannot be decoded ({type(error).__name__}: {reason})") from None


def to_rgb(image: Image.Image) -> np.ndarray:
    """A decoded image of any of Pillow's modes as RGB, uint8 (H, W, 3)."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        gray = np.asarray(image).astype(np.int64)
        if gray.min() < 0 or gray.max() > 65535:
            raise ValueError(f"gray levels {gray.min()} to {gray.max()}, outside 16 bits")
        levels = ((gray * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(levels[..., None], 3, axis=-1)
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is not known")
    return np.array(image.convert("RGB"))
