"""The files beside a report, its figures and their numbers: those of the last report and no others.

`files.json` in their folder lists what the harness wrote there, with the SHA-256 of each. The next
report removes what it does not have itself. A file that is not listed, or that somebody changed, is
kept.

While files are written, the list has the earlier ones and the new ones: a process that is killed
leaves none that the next report would not know.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from harness.report.files import write

LIST = "files.json"
ASIDE_S = 60.0  # after which a half-written file is one of a process that was killed

Listed = dict[str, set[str]]  # path below the folder -> SHA-256 of each content written there


def replace(folder: Path, parts: Mapping[str, bytes]) -> list[Path]:
    """Write `parts`, by their paths below `folder`, and remove those of the report before.

    Returns the written files. Raises HarnessError where one cannot be written; one that cannot be
    removed stays listed.
    """
    before = _read(folder)
    if not parts and not before:
        return []
    mine = {name: {hashlib.sha256(data).hexdigest()} for name, data in parts.items()}
    _write(folder, _union(before, mine))
    made = [write(folder / name, data) for name, data in parts.items()]
    for name in before.keys() - mine.keys():
        if _is_ours(folder / name, before[name]):
            _remove(folder, name)
    _remove_asides(folder, {*before, *mine, LIST})
    # read again: another report may have been written here meanwhile, and its files stay known
    others = {name: known for name, known in _read(folder).items() if name not in mine}
    left = {name: known for name, known in others.items() if _is_ours(folder / name, known)}
    _write(folder, left | mine)
    return made


def _union(one: Listed, other: Listed) -> Listed:
    return {name: one.get(name, set()) | other.get(name, set()) for name in {**one, **other}}


def _read(folder: Path) -> Listed:
    """What was written into the folder; nothing where no list can be read."""
    found: Listed = {}
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
        for name, known in json.loads((folder / LIST).read_bytes()).items():
            path = PurePosixPath(name)
            if not path.is_absolute() and ".." not in path.parts:
                found[name] = {str(digest) for digest in known}
    return found


def _write(folder: Path, listed: Listed) -> None:
    content = {name: sorted(listed[name]) for name in sorted(listed)}
    write(folder / LIST, (json.dumps(content, indent=1) + "\n").encode())


def _is_ours(path: Path, known: set[str]) -> bool:
    """Is the file as a report wrote it?"""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() in known
    except OSError:
        return False


def _remove(folder: Path, name: str) -> None:
    """Remove a file, and the folders that it leaves empty."""
    with contextlib.suppress(OSError):
        (folder / name).unlink()
        for above in list(PurePosixPath(name).parents)[:-1]:
            (folder / above).rmdir()


def _remove_asides(folder: Path, names: set[str]) -> None:
    """Remove half-written files of a process that was killed (harness.report.files.write)."""
    for place in {(folder / name).parent for name in names}:
        with contextlib.suppress(OSError):
            for entry in os.scandir(place):
                found = re.fullmatch(r"\.(.+)\.\d+", entry.name)
                ours = found is not None and any(
                    (folder / name).parent == place and Path(name).name[:100] == found[1]
                    for name in names
                )
                if ours and time.time() - entry.stat().st_mtime > ASIDE_S:
                    os.unlink(entry)
