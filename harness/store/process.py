"""The identity of a process: its number alone is not enough, since numbers are used again."""

from __future__ import annotations

import os
from pathlib import Path

HIDDEN = "hidden"  # start of a process of another user that may not be looked at: its id must do


def born(pid: int) -> str | None:
    """The process's start time from /proc, None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # no /proc (macOS), or other users' processes are hidden in it
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return None
        except PermissionError:
            return HIDDEN
        return "unknown"
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]
