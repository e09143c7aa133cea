"""Arrays in npz files, read at random: mapped where they are stored, in memory where compressed.

Never loads pickles: an array of objects is refused.
"""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from harness.components.below import is_litter_member
from harness.errors import BadInput

# What reading a damaged, encrypted or exotically compressed array or archive raises: zipfile, its
# compressions, and numpy's parser of headers, which reads a Python expression.
DAMAGED = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError),
    *(MemoryError, AttributeError, SyntaxError, tokenize.TokenError),
    *(struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)
_MAGIC = b"\x93NUMPY"
_LOCAL_HEADER = 30  # bytes before the name in a zip's local file header


def members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an npz by name, litter apart. Raises BadInput for a file that is none.

    NumPy ends their names in .npy; other writers need not.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [
                entry
                for entry in archive.infolist()
                if not is_litter_member(entry.filename) and _is_array(archive, entry)
            ]
            return dict(zip(names_of(found), found, strict=True))
    except DAMAGED as error:
        raise BadInput(f"{path} is not a whole npz file: {said(error)}") from None


def names_of(entries: list[zipfile.ZipInfo]) -> list[str]:
    """The names of the arrays. Raises ValueError where two have one name: which is meant?"""
    names = [entry.filename.removesuffix(".npy") for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"it holds the array {twice!r} twice")
    return names


def _is_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    if entry.filename.endswith(".npy"):
        return True
    if entry.is_dir() or entry.flag_bits & 0x1:
        return False
    with archive.open(entry) as file:
        return file.read(len(_MAGIC)) == _MAGIC


def checksums(path: Path) -> list[tuple[str, int, int]]:
    """(name, CRC-32, bytes) of each array, from the file's own directory: quick, of the content."""
    return sorted((name, entry.CRC, entry.file_size) for name, entry in members(path).items())


def array(path: Path, name: str) -> np.ndarray:
    """One array of an npz; a memory map where the file stores it uncompressed.

    Raises BadInput, naming what there is, for one that is not there, holds objects or is damaged.
    """
    found = members(path)
    if name not in found:
        raise BadInput(f"{path} holds no array {name!r}; it holds {', '.join(found) or 'none'}")
    entry = found[name]
    try:
        if entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 0x1:
            return _mapped(path, entry)
        with np.load(path, allow_pickle=False) as content:
            out: np.ndarray = content[entry.filename]
            return out
    except DAMAGED as error:
        raise BadInput(f"{path}: the array {name!r} cannot be read: {said(error)}") from None


def _mapped(path: Path, entry: zipfile.ZipInfo) -> np.ndarray:
    with open(path, "rb") as file:
        file.seek(entry.header_offset)
        head = file.read(_LOCAL_HEADER)
        if head[:4] != b"PK\x03\x04":
            raise ValueError("its header is damaged")
        name, extra = (int.from_bytes(head[i : i + 2], "little") for i in (26, 28))
        file.seek(entry.header_offset + _LOCAL_HEADER + name + extra)
        return mapped(path, file, entry.file_size)


def mapped(path: Path, file: Any, size: int) -> np.ndarray:
    """The array whose npy text begins where `file` stands; `size`: bytes of the whole text."""
    begin = file.tell()
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else _header_2
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds objects, which are pickles and are not loaded")
    expected = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    held = size - (file.tell() - begin)
    if held != expected or begin + size > path.stat().st_size:
        raise ValueError(f"it has {held:,} bytes of {expected:,}: it is cut off")
    if expected == 0:
        return np.empty(shape, dtype)
    order: Any = "F" if fortran else "C"
    return np.memmap(path, dtype, "r", file.tell(), shape, order)


def _header_2(file: Any) -> Any:
    return np.lib.format.read_array_header_2_0(file)


def said(error: Exception) -> str:
    """The message of a damaged file's error; the error's name where it has none (EOFError)."""
    return str(error) or type(error).__name__
