"""Two machines on one network disk, played by two threads of a test.

Each has its own name, its own clock and its own cache of the disk. What it knows of a folder is up
to a minute old, which here is older than the test: names that have come since are not seen, names
that have gone are, and times of files are a minute old. A machine that changes something in a
folder knows that folder anew, as clients of NFS do. Any step may end with ESTALE, EIO or EDQUOT,
and a rename or a link may be reported failed though it happened.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import json
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scanned import Entries

from harness.dispatch import claims
from harness.store import files

ERRORS = (errno.ESTALE, errno.EIO, errno.EDQUOT)
OLD_S = 60.0  # of times of files


class Machine(threading.local):
    """Which one the present thread plays; "" is the quiet one of the test itself."""

    name = ""
    process = 0
    ahead_s = 0.0
    draws = random.Random(0)
    there: dict[str, set[str]]  # of folders, as they were when they were looked at

    def be(self, name: str, process: int, ahead_s: float, seed: int) -> None:
        self.name, self.process, self.ahead_s = name, process, ahead_s
        self.draws, self.there = random.Random(seed), {}


class SharedDisk:
    """What lies under `root`, as the machine of the present thread sees it."""

    def __init__(self, root: Path, errors: float, old: float = 0.6) -> None:
        self.root, self.errors, self.old = str(root.resolve()), errors, old
        self.machine = Machine()
        self.happened = {"old": 0, "lost": 0, "failed": 0}

    def below(self, path: Any) -> str:
        """The path, if it is on the disk and the thread plays a machine, else ""."""
        if not self.machine.name or isinstance(path, int):
            return ""
        with contextlib.suppress(TypeError):
            found = os.path.abspath(os.fspath(path))
            return found if found.startswith(self.root + "/") else ""
        return ""

    def changed(self, path: str) -> None:
        if path:
            self.machine.there.pop(os.path.dirname(path), None)

    def names(self, folder: str) -> set[str]:
        """What this machine believes is in a folder."""
        now = set(self.listdir(folder))
        before = self.machine.there.get(folder)
        if before is not None and self.machine.draws.random() < self.old:
            self.happened["old"] += before != now
            return before
        self.machine.there[folder] = now
        return now

    def hidden(self, path: str) -> bool:
        """Is it there, and this machine does not know yet?"""
        folder, name = os.path.split(path)
        try:
            there = name in self.listdir(folder)
        except OSError:
            return False
        return there and name not in self.names(folder)

    def fail(self, path: str, chance: float) -> None:
        if self.machine.draws.random() < chance:
            self.happened["failed"] += 1
            number = self.machine.draws.choice(ERRORS)
            raise OSError(number, os.strerror(number), path)

    # --- calls ----------------------------------------------------------------------------------

    def looking(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """stat and lstat: what is new is not seen, times are old, and the disk may fail."""

        def look(path: Any, *args: Any, **kwargs: Any) -> Any:
            own = self.below(path) if kwargs.get("dir_fd") is None else ""
            if not own:
                return real(path, *args, **kwargs)
            self.fail(own, self.errors)
            if self.hidden(own):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), own)
            found = real(path, *args, **kwargs)
            if "_now." in own or self.machine.draws.random() > self.old:
                return found
            times = (found.st_atime - OLD_S, found.st_mtime - OLD_S, found.st_ctime - OLD_S)
            return os.stat_result((*found[:7], *times))

        return look

    def opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def open_(path: Any, mode: Any = "r", *args: Any, **kwargs: Any) -> Any:
            own = self.below(path)
            if own:
                reads = mode == os.O_RDONLY if isinstance(mode, int) else mode[0] == "r"
                self.fail(own, self.errors if reads else 0.0)
                if reads and self.hidden(own):
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), own)
                if not reads:
                    self.changed(own)
            return real(path, mode, *args, **kwargs)

        return open_

    def changing(self, real: Callable[..., Any], two: bool) -> Callable[..., Any]:
        """mkdir, unlink and the like; of two paths, the answer may be lost."""

        def change(path: Any, *args: Any, **kwargs: Any) -> Any:
            own = self.below(path) if kwargs.get("dir_fd") is None else ""
            try:
                done = real(path, *args, **kwargs)
            finally:  # a client of NFS that was told "it is there" looks anew as well
                for each in (own, self.below(args[0]) if own and two else ""):
                    self.changed(each)
            if own and two and self.machine.draws.random() < self.errors:
                self.happened["lost"] += 1
                raise OSError(errno.EIO, "the server's answer was lost", own)
            return done

        return change

    def scanning(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def scandir(path: Any = ".") -> Any:
            own = self.below(path)
            if not own:
                return real(path)
            entries = list(real(path))
            known = self.names(own)
            found = [e for e in entries if e.name in known]
            return Entries(found)

        return scandir

    def step(self, operation: str, path: Path) -> None:
        own = self.below(path)
        if own:
            self.fail(own, self.errors)

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        self.listdir, self.open, clock = os.listdir, os.open, time.time
        self.clock = clock
        with pytest.MonkeyPatch.context() as patch:

            def listdir(path: Any = ".") -> list[str]:
                real = self.listdir(path)
                own = self.below(path)
                return sorted(self.names(own)) if own else real

            patch.setattr(os, "scandir", self.scanning(os.scandir))
            patch.setattr(os, "listdir", listdir)
            for name in ("stat", "lstat"):
                patch.setattr(os, name, self.looking(getattr(os, name)))
            for name in ("mkdir", "unlink", "rmdir", "remove"):
                patch.setattr(os, name, self.changing(getattr(os, name), two=False))
            for name in ("rename", "replace", "link"):
                patch.setattr(os, name, self.changing(getattr(os, name), two=True))
            real = self.opening(builtins.open)
            patch.setattr(builtins, "open", real)
            patch.setattr(io, "open", real)
            patch.setattr(os, "open", self.opening(os.open))
            patch.setattr(files, "step", self.step)
            quiet = socket.gethostname()
            patch.setattr(socket, "gethostname", lambda: self.machine.name or quiet)
            patch.setattr(time, "time", lambda: clock() + self.machine.ahead_s)
            patch.setattr(claims, "born", lambda pid: str(self.machine.process))
            yield

    def died(self, name: str) -> None:
        """Ten minutes pass for what the driver of a machine left, if it left something."""
        long_ago = self.clock() - 2 * claims.STALE_S
        for folder in ("claims", "drivers"):
            for each in self.within(folder):
                with (
                    contextlib.suppress(OSError, ValueError, KeyError),
                    self.reading(each, folder) as file,
                ):
                    if json.load(file)["host"] == name:  # by then the name may be another's
                        os.utime(file.fileno(), (long_ago, long_ago))

    def within(self, folder: str) -> list[str]:
        try:
            return self.listdir(f"{self.root}/{folder}")
        except FileNotFoundError:
            return []

    def reading(self, name: str, folder: str) -> Any:
        return os.fdopen(self.open(f"{self.root}/{folder}/{name}", os.O_RDONLY))
