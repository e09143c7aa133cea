"""The files below a folder, in one order on every machine, and which of them are litter.

Litter is what operating systems leave beside the files that somebody meant: it is passed over
wherever images are read. Links to folders are followed; a folder that would be read twice (a loop,
or a link to one beside it) is an error, because its images would count twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import BadInput

# What Windows, macOS (whose others begin with a dot), Synology and file systems write.
LITTER = {
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
    *("__macosx", "@eadir", "lost+found"),
}
# A tar's extended headers, which a tar that does not know them unpacks as files (PaxHeaders.4711).
PAX = re.compile(r"PaxHeaders?(\.[0-9]+)?")


def is_litter(name: str) -> bool:
    """Is a file or folder of this name litter: hidden, or written by a file manager?"""
    return name.startswith(".") or name.lower() in LITTER or PAX.fullmatch(name) is not None


def is_litter_member(path: str) -> bool:
    """The same of a member of an archive, and of what lies in such a folder.

    There a name that begins with a dot may be meant; macOS's attributes (._x.png) are not.
    """
    return any(
        part.startswith("._") or part == ".DS_Store" or (part[:1] != "." and is_litter(part))
        for part in path.split("/")
    )


def files_below(
    root: str | Path,
    accept: Callable[[str], bool] = lambda name: True,
    seen: dict[str, str] | None = None,
) -> Iterator[str]:
    """Paths below `root` with forward slashes, litter apart, of names that `accept` takes.

    seen: the folders that were read, by their real paths; give the same one for roots that lie
    side by side. Not sorted. Raises BadInput for a folder that is reached twice, OSError for one
    that cannot be listed.
    """
    top = os.fspath(root)
    seen = {} if seen is None else seen
    todo = [("", os.path.realpath(top))]
    while todo:
        below, real = todo.pop()
        here = f"{top}/{below}" if below else top
        if real in seen:
            raise BadInput(
                f"{here} and {seen[real]} are one folder (a link): its files would count twice; "
                "remove the link"
            )
        seen[real] = here
        with os.scandir(here) as entries:
            for entry in entries:
                name = entry.name
                if is_litter(name):
                    continue
                path = f"{below}/{name}" if below else name
                if entry.is_dir():
                    place = f"{real}/{name}"
                    todo.append((path, os.path.realpath(place) if entry.is_symlink() else place))
                elif accept(name):
                    if not entry.is_file() and not entry.is_symlink():
                        raise BadInput(f"{top}/{path} is not a file (but a pipe, socket or device)")
                    yield path


def everything(path: str | Path) -> list[str]:
    """`path` itself if it is a file, else all files below it, sorted by their bytes."""
    top = os.fspath(path)
    if not os.path.isdir(top):
        return [top]
    return [f"{top}/{each}" for each in sorted(files_below(top), key=os.fsencode)]
