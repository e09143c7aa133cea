"""Images to be measured: an npz in ADM's format (`arr_0`, uint8 NHWC) or a folder of image files.

Both are read in batches: 50,000 images of 256x256 are 9.8 GB.
"""

from __future__ import annotations

import hashlib
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.components import content
from harness.components.below import is_litter, is_litter_member
from harness.data.npz import DAMAGED, names_of, said
from harness.errors import BadInput, Missing
from harness.metrics.features import check_layout
from harness.metrics.resized import Images, Square

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm")
LOSSY = (".jpg", ".jpeg", ".webp")
_PIECE = 1 << 20


class Npz:
    """An npz file opened for reading arrays one at a time, without pickles."""

    def __init__(self, path: Path, members: dict[str, str]) -> None:
        self.path = path
        self._members = members  # array -> its name in the archive: NumPy adds .npy, others do not

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def member(self, name: str) -> str:
        """The name of an array in the archive."""
        return self._members[name]

    def read(self, name: str) -> NDArray[Any]:
        """One whole array. BadInput when it is absent or cannot be read."""
        if name not in self:
            raise BadInput(
                f"{self.path}: no array {name!r} in it (it holds {', '.join(self) or 'nothing'})"
            )
        try:
            with np.load(self.path, allow_pickle=False) as file:
                array: NDArray[Any] = file[name]
                if not isinstance(array, np.ndarray):
                    raise ValueError(f"{name} is not an array")
                return array
        except DAMAGED as error:
            raise _broken(self.path, error) from error

    def sha256(self) -> str:
        """SHA-256 of the file."""
        digest = hashlib.sha256()
        _digest_file(digest, self.path)
        return digest.hexdigest()


def open_npz(path: Path) -> Npz:
    """The npz at `path`. Missing: no such file. BadInput: truncated, or not an npz."""
    if not path.exists():
        raise Missing(f"no file at {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            held = [e for e in archive.infolist() if not is_litter_member(e.filename)]
            members = dict(zip(names_of(held), (e.filename for e in held), strict=True))
    except DAMAGED as error:
        if path.suffix.lower() in EXTENSIONS:
            raise BadInput(f"{path}: one image; give the folder that holds them all") from error
        if path.is_file() and (what := content.of_file(path)) and path.suffix != ".npy":
            raise BadInput(f"{path}: no npz file: it is {what}") from error
        if path.suffix == ".npy":
            raise BadInput(
                f"{path}: one bare array; save it with np.savez(path, images)"
            ) from error
        raise _broken(path, error) from error
    return Npz(path, members)


def open_images(path: Path | str, resize: int | None = None) -> Images:
    """The images at `path`, an npz file or a folder, checked before any work is done.

    resize: pixels a side that all are brought to; a folder may then hold images of any size.
    Raises Missing when nothing is there, and BadInput: npz without `arr_0`, not uint8, not NHWC,
    fewer than 2 images, truncated; folder with other files in it, or images of several sizes.
    """
    path = Path(path)
    if not path.exists():
        raise Missing(
            f"no images at {path}: expected an npz file with arr_0, or a folder of images"
        )
    square = None if resize is None else Square(resize)
    images = _open_folder(path, square) if path.is_dir() else _open_array(path, square)
    if images.count < 2:
        raise BadInput(
            f"{path}: {images.count} image{'' if images.count == 1 else 's'}; "
            "the metrics compare distributions and need at least 2 (the paper's use 50,000)"
        )
    return images


def _open_array(path: Path, square: Square | None) -> Images:
    npz = open_npz(path)
    if "arr_0" not in npz:
        statistics = "mu" in npz and "sigma" in npz
        raise BadInput(
            f"{path}: no array 'arr_0' in it (it holds {', '.join(npz) or 'nothing'}); "
            "images are expected as arr_0, uint8 (N, H, W, 3)"
            + ("; mu and sigma are taken as inception-2015's reference alone" * statistics)
        )
    try:
        member = npz.member("arr_0")
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            shape, fortran, dtype = _header(file)
            missing = file.tell() + prod(shape) - archive.getinfo(member).file_size
    except DAMAGED as error:
        raise _broken(path, error) from error
    if fortran and len(shape) > 1:
        raise BadInput(f"{path}: arr_0 is in Fortran order; save np.ascontiguousarray(images)")
    check_layout(shape, dtype, f"{path}: arr_0")
    if missing > 0:
        raise _broken(path, EOFError(f"{missing} bytes of images are missing"))
    count, height, width, channels = shape

    def batches(size: int) -> Iterator[NDArray[np.uint8]]:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(member) as file:
                _header(file)
                for start in range(0, count, size):
                    n = min(size, count - start)
                    data = _read_exactly(file, n * height * width * channels)
                    yield np.frombuffer(data, dtype=np.uint8).reshape(n, height, width, channels)
        except DAMAGED as error:
            raise _broken(path, error) from error

    images = Images(path, count, (height, width), batches, cache(npz.sha256))
    if square is None:
        return images
    square.check(f"{path}: each image", height, width)
    return square.brought(replace(images, batches=square.each(batches)), [images.size])


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _read_exactly(file: IO[bytes], size: int) -> bytearray:
    data = bytearray()
    while len(data) < size:
        piece = file.read(min(_PIECE, size - len(data)))
        if not piece:
            raise EOFError(f"{size - len(data)} bytes of images are missing")
        data += piece
    return data


def _open_folder(path: Path, square: Square | None) -> Images:
    files = sorted(_files(path))
    strangers = [p for p in files if p.suffix.lower() not in EXTENSIONS]
    if strangers:
        raise BadInput(
            f"{path}: {strangers[0].relative_to(path)} is not an image"
            + (f" (and {len(strangers) - 1} more files)" if len(strangers) > 1 else "")
            + f"; a folder of images may hold only {', '.join(EXTENSIONS)}"
        )
    if not files:
        return Images(path, 0, (0, 0), lambda size: iter(()), lambda: "")
    size = _size(files[0])
    sizes = {size}
    for p in files:  # headers only
        found = _size(p)
        sizes.add(found)
        if square is not None:
            square.check(str(p), *found)
        elif found != size:
            raise BadInput(
                f"{p}: {found[0]}x{found[1]} pixels, but {files[0].name} has "
                f"{size[0]}x{size[1]}; all images of a set must have one size, "
                "or be brought to one by --resize PIXELS"
            )

    def batches(batch: int) -> Iterator[NDArray[np.uint8]]:
        for start in range(0, len(files), batch):
            read = (_read_image(p) for p in files[start : start + batch])
            yield np.stack([image if square is None else square.of(image) for image in read])

    def sha256() -> str:
        digest = hashlib.sha256()
        for p in files:
            about = f"{p.relative_to(path).as_posix()}\0{p.stat().st_size}\0"
            digest.update(about.encode(errors="surrogateescape"))
            _digest_file(digest, p)
        return digest.hexdigest()

    lossy = sum(p.suffix.lower() in LOSSY for p in files)
    notes = (
        (f"{path}: {lossy} of {len(files)} images are lossy files, which changes the features",)
        if lossy
        else ()
    )
    images = Images(path, len(files), size, batches, cache(sha256), notes)
    return images if square is None else square.brought(images, sizes)


def _files(path: Path) -> Iterator[Path]:
    """Files below `path`, through links; litter (hidden files and folders as well) apart."""
    seen = set()
    for folder, folders, names in os.walk(path, onerror=_unreadable, followlinks=True):
        place = os.path.realpath(folder)
        if place in seen:
            raise BadInput(f"{folder}: a link to a folder that is read already")
        seen.add(place)
        folders[:] = [name for name in folders if not is_litter(name)]
        for name in names:
            file = Path(folder, name)
            if is_litter(name):
                continue
            if not file.is_file():
                raise BadInput(f"{file}: {'a link to nothing' if file.is_symlink() else 'no file'}")
            yield file


def _unreadable(error: OSError) -> None:
    """A folder that is passed over would change the numbers."""
    raise BadInput(f"{error.filename}: cannot be read: {error.strerror}") from error


def _size(path: Path) -> tuple[int, int]:
    """Height and width, from the header; BadInput when it holds more than 8 bits per channel."""
    with _opened(path) as image:
        return image.height, image.width


def _read_image(path: Path) -> NDArray[np.uint8]:
    with _opened(path) as image:
        pixels = np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    if pixels.shape[2] == 4 and pixels[..., 3].min() < 255:
        raise BadInput(f"{path}: partly transparent; lay it on a background first")
    return pixels[..., :3]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            _check_depth(path, image)
            yield image
    except BadInput:
        raise
    except (
        OSError,
        UnidentifiedImageError,
        Image.DecompressionBombError,
        SyntaxError,
        ValueError,
    ) as error:
        if (what := content.of_file(path)) is not None:
            raise BadInput(f"{path}: cannot be read as an image: it is {what}") from error
        raise BadInput(f"{path}: cannot be read as an image ({error})") from error


def _check_depth(path: Path, image: Any) -> None:
    # Pillow would cut gray above 255 off, and of 16-bit colours give the upper half.
    raw = [tile[3] if isinstance(tile[3], tuple) else (tile[3],) for tile in image.tile]
    wide = any(
        ";16" in part
        if isinstance(part, str)
        else isinstance(part, int) and image.format == "PPM" and part > 255
        for parts in raw
        for part in parts
    )
    if wide or image.mode.startswith(("I", "F")):
        raise BadInput(f"{path}: more than 8 bits per channel; images must be 8-bit RGB or gray")


def _digest_file(digest: Any, path: Path) -> None:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)


def _broken(path: Path, error: Exception) -> BadInput:
    told = said(error)
    return BadInput(f"{path}: not a complete npz file ({told}); was its writing interrupted?")
