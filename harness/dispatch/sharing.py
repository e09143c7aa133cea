"""Is a stage alone on its GPUs? Stages of one user on one machine see each other here.

While a stage runs it holds a shared lock on a file of each of its GPUs, and at its beginning it
leaves its name there. It was alone if nobody else held a lock when it began, and if the last name
is still its own. A lock goes with its process, however that ends.

Other users, and programs that are not ours, are not seen.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

DOOR_S = 1.0  # until another stage has entered: it takes less than a millisecond


class Presence:
    """One stage on some GPUs, from its making to `leave`. Raises OSError where locks cannot be."""

    def __init__(self, gpus: Iterable[str], folder: Path | None = None) -> None:
        self._name = uuid.uuid4().hex
        self._handles: list[int] = []
        folder = folder or Path(tempfile.gettempdir()) / f"harness-gpus-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid != os.getuid():
            raise PermissionError(f"{folder} is another user's")
        try:
            with _door(folder):
                entered = [self._enter(folder / gpu) for gpu in gpus]
        except OSError:
            self.leave()
            raise
        self._first = all(entered)

    def _enter(self, path: Path) -> bool:
        """Stay at a GPU, behind the door; was nobody there?"""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._handles.append(handle)
        empty = _locked(handle, fcntl.LOCK_EX)
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.pwrite(handle, self._name.encode(), 0)
        return empty

    def alone(self) -> bool:
        """Has no other stage been on these GPUs since this one began?"""
        name = self._name.encode()
        return self._first and all(os.pread(h, len(name), 0) == name for h in self._handles)

    def leave(self) -> None:
        """Let go. A process that was forked meanwhile holds nothing either."""
        for handle in self._handles:
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)
        self._handles.clear()


@contextlib.contextmanager
def _door(folder: Path) -> Iterator[None]:
    """One enters at a time, since a lock that changes its kind is given up for a moment."""
    handle = os.open(folder / "door", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    until = time.monotonic() + DOOR_S
    try:
        while not _locked(handle, fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise TimeoutError(f"{folder}/door is held by a process that does not go on")
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
