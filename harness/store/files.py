"""Durable writes: everything that must survive `kill -9` goes through these few functions.

`step` is called before each of them; tests replace it to kill the process at every one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

step: Callable[[str, Path], None] = lambda operation, path: None  # noqa: E731


class DiskFull(HarnessError):
    """No space left; nothing that was committed before is harmed."""


class NotWritable(HarnessError):
    """The results folder cannot be written."""


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sync_folder(path: Path) -> None:
    """Make the folder's entries durable (a rename is not, until its folder is synced)."""
    step("sync folder", path)
    handle = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems refuse it
            os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    step("sync file", path)
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a whole file: aside under a name starting with `_`, synced, renamed, folder synced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.parent / f"_{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        step("write", aside)
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        step("rename", path)
        os.replace(aside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise explain(error, path) from error
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """`write_atomic` of indented JSON. NaN and infinity are refused (ValueError)."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(path, text.encode())


def create_exclusive(path: Path, data: bytes) -> bool:
    """Create a file only if no other process has; True for the one that did.

    Written aside and hard-linked, so the file is never seen half written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.parent / f"_{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        step("write", aside)
        aside.write_bytes(data)
        step("link", path)
        os.link(aside, path)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        raise explain(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def explain(error: OSError, path: Path) -> HarnessError:
    """The error as a person at the terminal needs it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"no space left while writing {path}: free some and run the same command again; "
            "everything committed so far is kept"
        )
    return NotWritable(f"cannot write {path}: {error.strerror}")
