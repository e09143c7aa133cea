"""Files called .tar that are not tars: archives of other kinds, web pages, texts."""

from __future__ import annotations

import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.components import content
from harness.errors import BadInput

BLOCK = 512  # bytes of a tar's header
THREADS = 8  # files looked at at the same time: on a network, most of it is waiting

# The first bytes of what tars are packed into, or taken for.
PACKED = {
    b"\x1f\x8b": "compressed by gzip",
    b"\xfd7zXZ\x00": "compressed by xz",
    b"BZh": "compressed by bzip2",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\x04\x22\x4d\x18": "compressed by lz4",
    b"PK": "a zip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
}


def packed_as(path: str | Path) -> str | None:
    """How a file is packed, in words, by its first bytes; None: in no way that is known."""
    try:
        with open(path, "rb") as file:
            first = file.read(8)
    except OSError:
        return None
    return next((words for magic, words in PACKED.items() if first.startswith(magic)), None)


def check_beginnings(tars: list[Path]) -> None:
    """Raise BadInput for a file that does not begin as a tar does, however it is called.

    One block is read of each: enough to tell a zip, a web page or a text.
    """
    with ThreadPoolExecutor(min(THREADS, max(1, len(tars)))) as pool:
        for _ in pool.map(_check_beginning, tars):
            pass


def _check_beginning(path: Path) -> None:
    if not path.is_file():
        return  # said where it is opened
    try:
        with open(path, "rb") as file:
            block = file.read(BLOCK)
        if any(block):  # of an empty file, and of zeros, it is said where they are opened
            tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, OSError, ValueError) as problem:
        raise error(path, str(getattr(problem, "strerror", None) or problem)) from None


def error(path: Path, why: str) -> BadInput:
    """The error for a file that is no tar: by its first bytes, what it is."""
    if (kind := packed_as(path)) is not None:
        return BadInput(
            f"{path} is {kind}, whatever its name says, and cannot be read at random; unpack "
            "it to a plain .tar (images hardly compress)"
        )
    if (what := content.of_file(path)) is not None:
        return BadInput(f"{path} cannot be read as a tar: it is {what}")
    return BadInput(f"{path} cannot be read as a tar ({why}); copy it again")
