"""Writing a report's files: whole or not at all, through links and to devices."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from harness.errors import HarnessError

DESCRIPTOR = re.compile(
    r"/dev/(?:stdin|(stdout)|(stderr)|fd/(\d+))|/proc/(?:self|thread-self)/fd/(\d+)"
)


def descriptor(path: Path) -> int | None:
    """The number of the open file that a path such as /dev/stdout stands for.

    Opened by its path once more, a file that the output goes to would be written from its start.
    """
    found = DESCRIPTOR.fullmatch(os.path.abspath(path))
    if found is None:
        return None
    out, err, *numbers = found.groups()
    return 1 if out else 2 if err else next((int(n) for n in numbers if n), None)


def passes_on(path: Path) -> bool:
    """Is what is written there gone: a device, a pipe, standard output? It cannot be read again."""
    return descriptor(path) is not None or (path.exists() and not (path.is_file() or path.is_dir()))


def write(path: Path, data: bytes) -> Path:
    """Write `data` to `path` and return it; its folder is made.

    A regular file is replaced whole. A link is followed; a device, a pipe or standard output is
    written to, never replaced. Raises HarnessError where it cannot be written.
    """
    try:
        if (number := descriptor(path)) is not None:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            with open(os.dup(number), "wb") as file:
                file.write(data)
            return path
        if path.exists() and not path.is_file():
            if path.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            path.write_bytes(data)
            return path
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name[:100]}.{os.getpid()}")
        try:
            aside.write_bytes(data)
            os.replace(aside, target)
        except BaseException:  # a full disk, or an interrupt
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HarnessError(f"cannot write the report to {path}: {error.strerror}") from None
    return path
