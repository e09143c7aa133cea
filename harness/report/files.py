"""Writing a report's files: whole or not at all, through links and to devices."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import HarnessError


def write(path: Path, data: bytes) -> Path:
    """Write `data` to `path` and return it; its folder is made.

    A regular file is replaced whole. A link is followed; a device or a pipe is written to, never
    replaced. Raises HarnessError where it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            if path.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            path.write_bytes(data)  # /dev/stdout leads to a pipe that has no name
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
