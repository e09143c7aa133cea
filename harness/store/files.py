"""Durable writes. Everything that must survive `kill -9` goes through these few functions.

`step` is called before each of them; tests replace it to kill the process at every one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

# What a network disk says of itself, not of the file that was asked for.
DISK = (errno.EIO, errno.ESTALE, errno.EDQUOT, errno.ETIMEDOUT, errno.EAGAIN)
STALE = 3  # openings of a file that a network disk has lost hold of

step: Callable[[str, Path], None] = lambda operation, path: None  # noqa: E731


FULL = (
    "no space left while writing {path}: free some and run the same command again; everything "
    "committed so far is kept"
)


class DiskFull(HarnessError):
    """No space left; nothing that was committed before is harmed."""


class NotWritable(HarnessError):
    """The results folder cannot be written."""


class NotReadable(HarnessError):
    """The results folder cannot be read just now."""


def digest(data: bytes) -> str:
    """SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def checksum(content: object) -> str:
    """Of a JSON value, whatever the order of its keys: the SHA-256's first 16 digits."""
    return digest(json.dumps(content, sort_keys=True).encode())[:16]


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def read_bytes(path: Path) -> bytes:
    """A whole file; opened again where a network disk has lost hold of it (ESTALE)."""
    for _ in range(STALE):
        try:
            step("read", path)
            return path.read_bytes()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def settle_mode(path: Path) -> None:
    """Give a file the mode that the umask gives, whatever library wrote it.

    Libraries that write by way of tempfile (safetensors does) leave files that only their owner can
    read, and the next user of a shared results folder could not go on from them.
    """
    with contextlib.suppress(PermissionError):  # another user's, who gave it a mode himself
        os.chmod(path, 0o666 & ~_umask())


def _umask() -> int:
    """The process's umask; asking for it any other way sets it, for all threads, for a moment."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def make_folder(path: Path) -> None:
    """Make a folder and those above it. Errors: NotWritable, DiskFull."""
    with explained(path):
        step("make folder", path)
        path.mkdir(parents=True, exist_ok=True)


def sync_folder(path: Path) -> None:
    """Make the folder's entries durable (a rename is not, until its folder is synced)."""
    with contextlib.suppress(OSError):  # some network file systems refuse it
        step("sync folder", path)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_file(path: Path) -> None:
    """Make a file's content durable, and readable for whom the umask says."""
    step("sync file", path)
    settle_mode(path)
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a whole file: aside under a name starting with `_`, synced, renamed, folder synced."""
    make_folder(path.parent)
    aside = path.parent / f"_{path.name}.{uuid.uuid4().hex[:8]}"
    with explained(path):
        try:
            step("write", aside)
            with open(aside, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            replace(aside, path, lambda: path.read_bytes() == data)
        except OSError:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise
    sync_folder(path.parent)


def publish(aside: Path, path: Path) -> None:
    """Give a file that was written aside, in the same folder, its name, once it is durable."""
    with explained(path):
        sync_file(aside)
        size = aside.stat().st_size
        replace(aside, path, lambda: path.stat().st_size == size)
    sync_folder(path.parent)


def replace(aside: Path, path: Path, there: Callable[[], bool]) -> None:
    """Rename. A network disk may report a rename as failed that has happened: its answer was lost,
    and when asked again it no longer finds `aside`. `there` says whether `path` is what was to be
    written."""
    step("rename", path)
    try:
        os.replace(aside, path)
    except OSError:
        if not (gone(aside) and there()):
            raise


def gone(path: Path) -> bool:
    """Is there surely no such file or folder?"""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def write_json(path: Path, value: Any) -> None:
    """`write_atomic` of indented JSON. NaN and infinity are refused (ValueError)."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(path, text.encode())


def create_exclusive(path: Path, data: bytes) -> bool:
    """Create a file only if no other process has; True for the one that did.

    Written aside and hard-linked, so the file is never seen half written. A network disk may report
    a link that it made as failed: the number of links tells.
    """
    make_folder(path.parent)
    aside = path.parent / f"_{path.name}.{uuid.uuid4().hex[:8]}"
    with explained(path):
        try:
            step("write", aside)
            aside.write_bytes(data)
            step("link", path)
            try:
                os.link(aside, path)
            except OSError as error:
                if aside.stat().st_nlink == 2:
                    return True
                if isinstance(error, FileExistsError):
                    return False
                raise
            return True
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise an OSError as the error a person needs (`explain`)."""
    try:
        yield
    except OSError as error:
        raise explain(error, path) from error


def explain(error: OSError, path: Path) -> HarnessError:
    """The error as a person at the terminal needs it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(FULL.format(path=path))
    return NotWritable(f"cannot write {path}: {error.strerror}")
