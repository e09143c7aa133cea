"""What a killed export or import leaves behind: half a file, or an unpacked archive.

Whoever works on such a file or folder holds a lock on it, which ends with the process, however it
ends. What nobody holds is removed by the next one that works in the same place.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

YOUNG_S = 5.0  # between making a file and taking its lock nobody holds it


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder that is there.

    A file system without locks has none: nothing is then removed there by `remove`.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def remove(paths: Iterable[Path]) -> None:
    """Remove those that nobody holds. Never raises: what cannot be removed stays."""
    for path in paths:
        with contextlib.suppress(OSError):
            if _nobodys(path):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


def _nobodys(path: Path) -> bool:
    """Has whoever made it ended? False where that cannot be told. Raises OSError."""
    if time.time() - path.lstat().st_mtime < YOUNG_S:
        return False
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)
    return True
