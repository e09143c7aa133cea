"""The embedded data set: the digits 0-9 drawn from the DejaVu fonts inside matplotlib's wheel.

    images, labels = render("train", 8000, image_size=8, channels=1)

Nothing is downloaded and nothing is stored: image i of a split is a function of (seed, split, i)
alone, so any part of any split can be drawn anywhere, in any order, with the same bytes (given the
same Pillow and fonts; the reference's checksum says when they are not). Splits are streams of
their own: training images, the reference of a Frechet distance, the images of its floor and the
classifier's images never share a draw.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import BadInput, Missing

if TYPE_CHECKING:
    from PIL import Image

NUM_CLASSES = 10
SPLITS = ("train", "reference", "floor", "classifier", "classifier-test")

FACES = (  # files in matplotlib/mpl-data/fonts/ttf
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSans-Oblique.ttf",
    "DejaVuSans-BoldOblique.ttf",
    "DejaVuSansMono.ttf",
    "DejaVuSansMono-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Bold.ttf",
    "DejaVuSerif-Italic.ttf",
    "DejaVuSerif-BoldItalic.ttf",
)
HEIGHT = (0.65, 0.90)  # of the digit, as a share of the image's side
OFFSET = 0.08  # largest shift of the digit's centre along each axis, share of the side
ROTATION = 15.0  # largest turn either way, degrees
# The digit is always the lighter: either way round, micro models learned the digits' shapes only
# after several times as many steps, too late for a study of ten minutes.
DARK = (0.00, 0.20)  # range of the background's colour, per channel
LIGHT = (0.80, 1.00)  # range of the digit's

_MASTER = 128  # pixels along the side of the mask a digit is rendered into once, before turning
_CAP = 72  # pixels: height of the digits in that mask


def render(
    split: str, count: int, image_size: int = 8, channels: int = 3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Images 0 to count-1 of a split: uint8 (N, H, W, channels) and labels int64 (N,).

    Labels go round the ten classes (label i is i mod 10), so every prefix is balanced to within
    one image. Colours are uniform per channel within DARK and LIGHT; one channel gives gray levels.
    Raises BadInput for an unknown split, a negative count, or an impossible size.
    """
    check(split, count, image_size, channels)
    supersampling = 8 if image_size <= 16 else 4
    side = image_size * supersampling
    draws = np.empty((count, 11))
    labels = np.arange(count, dtype=np.int64) % NUM_CLASSES
    coverage = np.empty((count, image_size, image_size), dtype=np.float32)
    for i in range(count):
        draws[i] = _draws(seed, split, i)
        mask = _place(_master(int(draws[i, 0] * len(FACES)), int(labels[i])), draws[i, 1:5], side)
        coverage[i] = mask.reshape(image_size, supersampling, image_size, supersampling).mean(
            (1, 3)
        )
    return _colour(coverage / 255.0, draws[:, 5:], channels), labels


def check(split: str, count: int, image_size: int, channels: int) -> None:
    """Raise BadInput unless these are the arguments of an embedded data set."""
    if split not in SPLITS:
        raise BadInput(f"unknown split {split!r}; the splits are {', '.join(SPLITS)}")
    if count < 0:
        raise BadInput(f"cannot give {count} images; the count must be 0 or more")
    if image_size < 4:
        raise BadInput(f"image_size {image_size} is too small for a digit; the least is 4")
    if channels not in (1, 3):
        raise BadInput(f"channels must be 1 (gray) or 3 (RGB), not {channels}")


def _draws(seed: int, split: str, index: int) -> np.ndarray:
    """Eleven uniform numbers in [0, 1) that belong to one image, keyed by what names it."""
    digest = hashlib.sha256(f"glyphs/{seed}/{split}/{index}".encode()).digest()
    philox = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
    return np.random.Generator(philox).random(11)


@lru_cache(maxsize=len(FACES) * NUM_CLASSES)
def _master(face: int, label: int) -> Image.Image:
    """The digit as an 8-bit mask, _CAP pixels high, its ink centred in a _MASTER square."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / FACES[face]
    if not path.is_file():
        raise Missing(f"no font {path}: the glyphs need matplotlib's own fonts; reinstall it")
    # BASIC layout: the result must not depend on whether Pillow found libraqm.
    font = ImageFont.truetype(str(path), _CAP, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = font.getbbox("0")
    font = font.font_variant(size=round(_CAP * _CAP / (bottom - top)))
    left, top, right, bottom = font.getbbox(str(label))
    mask = Image.new("L", (_MASTER, _MASTER), 0)
    corner = ((_MASTER - left - right) / 2, (_MASTER - top - bottom) / 2)
    ImageDraw.Draw(mask).text(corner, str(label), font=font, fill=255)
    return mask


def _place(mask: Image.Image, draws: np.ndarray, side: int) -> np.ndarray:
    """Scale, turn and shift a master mask into a (side, side) uint8 array; draws is (4,)."""
    from PIL import Image

    height = (HEIGHT[0] + (HEIGHT[1] - HEIGHT[0]) * draws[0]) * side
    angle = math.radians(ROTATION * (2 * draws[1] - 1))
    centre_x, centre_y = side / 2 + OFFSET * side * (2 * draws[2:4] - 1)
    # Pillow wants the map from an output pixel to where in the mask it is read.
    cos, sin = math.cos(angle) * _CAP / height, math.sin(angle) * _CAP / height
    middle = _MASTER / 2
    matrix = (
        *(cos, sin, middle - cos * centre_x - sin * centre_y),
        *(-sin, cos, middle + sin * centre_x - cos * centre_y),
    )
    turned = mask.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(turned, dtype=np.uint8)


def _colour(coverage: np.ndarray, draws: np.ndarray, channels: int) -> np.ndarray:
    """Blend two colours by coverage (N, H, W) in [0, 1]; draws is (N, 6). uint8 (N, H, W, C)."""
    dark = DARK[0] + (DARK[1] - DARK[0]) * draws[:, 0:channels]
    light = LIGHT[0] + (LIGHT[1] - LIGHT[0]) * draws[:, 3 : 3 + channels]
    dark, light = dark[:, None, None, :], light[:, None, None, :]
    return np.rint(255 * (dark + (light - dark) * coverage[..., None])).astype(np.uint8)  # type: ignore[no-any-return]
