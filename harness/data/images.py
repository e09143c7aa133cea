"""Image sources: anything with a length whose item i is (uint8 HWC array, label).

Files that cannot be read raise Corrupt for their item alone, so that a reader of a million of them
can count, list and skip.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from harness import components
from harness.components import content
from harness.components.source import Images, Split, Wanted, checked_images
from harness.data.crop import too_narrow
from harness.errors import BadInput, HarnessError, on_one_line

if TYPE_CHECKING:
    from PIL import Image


class Corrupt(HarnessError):
    """One image that cannot be read: its path and why. The rest of the source is fine."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Decoded(np.ndarray):
    """An image's pixels that remember how they were stored, where that was not 8-bit RGB or gray.

    `encode` counts these, so that a study can say how many of its images lost an alpha channel.
    """

    stored: str | None = None  # "alpha", "palette", "cmyk", "16-bit", ...
    turned = False  # has its file an EXIF orientation, which is not applied?
    frames = False  # has its file more pictures than this, the first?

    def __array_finalize__(self, other: object) -> None:
        self.stored, self.turned, self.frames = (
            None,
            False,
            False,
        )  # results computed from it carry no such mark


def decoded(
    pixels: np.ndarray, stored: str | None, turned: bool = False, frames: bool = False
) -> np.ndarray:
    """`pixels` as an image that was stored as `stored`; None: nothing to be said."""
    if stored is None and not turned and not frames:
        return pixels
    image = pixels.view(Decoded)
    image.stored, image.turned, image.frames = stored, turned, frames
    return image


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
        if self.labels.min() < 0 or self.labels.max() >= max(1, len(self.class_names)):
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
        """SHA-256 of pixels, labels and class names."""
        digest = hashlib.sha256(repr((self.images.shape, self.class_names)).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, dtype=np.int64).data)
        return digest.hexdigest()


def open_images(
    name: str,
    source: str = "embedded",
    path: str | None = None,
    *,
    split: Split = "train",
    image_size: int = 8,
    channels: int = 3,
    count: int | None = None,
    seed: int = 0,
    num_classes: int | None = None,
    fingerprint: str | None = None,
    index: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Images:
    """The images a study's data section names.

    source: a data source's name (embedded: `name` is glyphs or digits, drawn at image_size x
    image_size). count: how many of an embedded set. num_classes, fingerprint: what the data must
    have, when given. index: a folder that keeps what the headers of tars said (see headers.read).
    settings: the source's own.
    Raises BadInput for an unknown source or set, or data that is not as it must be; Missing if
    `path` is not there.
    """
    wanted = Wanted(
        name=name,
        path=path,
        split=split,
        image_size=image_size,
        channels=channels,
        num_classes=num_classes,
        count=count,
        seed=seed,
        index=None if index is None else Path(index),
    )
    made = components.get("source", source).model_validate(settings or {})
    opened: Images = made.open(wanted)  # type: ignore[attr-defined]
    place = path or f"the embedded set {name}"
    return checked_images(opened, place, num_classes=num_classes, fingerprint=fingerprint)


def read_image(file: BinaryIO | bytes, path: str) -> np.ndarray:
    """Decode one image file to RGB, uint8 (H, W, 3). `path` names it in errors.

    Grayscale, palette and CMYK images are converted, transparency is dropped (as ADM does), and 16
    bits are scaled to 8: Pillow alone would clip them, and nearly every pixel would be white. An
    EXIF orientation is not applied (as in ADM) and is remembered; so is that a file holds several
    pictures (animations, pages), of which the first is read.
    Raises Corrupt if it cannot be decoded, or is too narrow for a square to be cut from it.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(file) if isinstance(file, bytes) else file) as image:
            if reason := too_narrow(*image.size):  # the header's: nothing is decoded yet
                raise Corrupt(path, reason)
            image.load()
            pixels = to_rgb(image)
            return decoded(pixels, how_stored(image), is_turned(image), has_frames(image))
    except Corrupt:
        raise
    # Pillow raises nearly anything on a damaged file, SyntaxError and struct.error included.
    except Exception as error:
        # an address differs in every run
        reason = re.sub(r" *<[^<>]* at 0x[0-9a-fA-F]+>", "", on_one_line(error))
        if isinstance(error, UnidentifiedImageError) and (what := content.guess(_head(file))):
            raise Corrupt(path, f"cannot be decoded: it is {what}") from None
        raise Corrupt(path, f"cannot be decoded ({reason})") from None


def _head(file: BinaryIO | bytes) -> bytes:
    if isinstance(file, bytes):
        return file[: content.HEAD]
    file.seek(0)
    return file.read(content.HEAD)


def how_stored(image: Image.Image) -> str | None:
    """The mode that an image is converted from: gray, alpha, palette, cmyk, 16-bit; None: RGB."""
    mode = image.mode
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return "alpha"
    if mode == "I" or mode.startswith("I;16"):
        return "16-bit"
    return {"RGB": None, "L": "gray", "1": "gray", "P": "palette"}.get(mode, mode.lower())


def is_turned(image: Image.Image) -> bool:
    """Does the file (EXIF orientation) say that the picture is to be shown turned or mirrored?"""
    from PIL import ExifTags

    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except Exception:  # of damaged EXIF data Pillow raises nearly anything; the pixels are fine
        return False


def has_frames(image: Image.Image) -> bool:
    """Does its file hold more than one picture: frames of an animation, pages?"""
    try:
        return bool(getattr(image, "is_animated", False))
    except (
        Exception
    ):  # of a damaged second picture Pillow raises nearly anything; the first is fine
        return False


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
