"""The list of the files that a stage reads, made while it runs and committed with what it makes.

`begin` looks at them before anything is read, `finish` reads their contents (each process its part)
and writes the list. If files change in between, the output would be of two data sets: the stage
fails, and the next attempt begins anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from harness.components.source import Source
from harness.errors import BadInput, HarnessError
from harness.plan import reads
from harness.stages.work import Work
from harness.store import file_lists
from harness.store.file_lists import FILES, FileList

Lists = dict[str, FileList]


def begin(work: Work, source: Source, roles: Iterable[str], progress: str | None = None) -> Lists:
    """The files as they are now, by role. For the main process.

    progress: the folder in scratch that an earlier attempt's work lies in; it is removed where the
    files are not those of that attempt any more.
    """
    lists = {}
    for role in roles:
        files = reads.files_of(role, work.place, source)
        if files:
            lists[role] = file_lists.look(str(reads.where(role, work.place)), files)
    if progress is not None:
        before = work.scratch / FILES
        if _changed(_kept(before), lists) and (work.scratch / progress).exists():
            print("the files have changed since an earlier attempt: begun anew", flush=True)
            shutil.rmtree(work.scratch / progress)
        if lists:
            file_lists.write(before, lists)
    return lists


def _kept(path: Path) -> Lists:
    try:
        return file_lists.read(path)
    except HarnessError:  # half written, by an attempt that was killed
        return {}


def _changed(before: Lists, now: Lists) -> list[str]:
    """The differences in words: each file of which an attempt may have read another content."""
    found = []
    for role in before.keys() & now.keys():
        difference = file_lists.compare(before[role], now[role])
        if difference.other or difference.retimed:
            words = str(difference) or f"{len(difference.retimed):,} files written again"
            found.append(f"{role}: {words}")
    return found


def checksums(work: Work, source: Source, roles: Iterable[str]) -> None:
    """Read the contents of this process's part of the files, into scratch. May raise Stopped."""
    for role in roles:
        place = reads.where(role, work.place)
        paths = _listed(work, source, role)
        mine = paths[work.world.rank :: work.world.size]
        if place is None or not paths:
            continue
        found = file_lists.checksums(
            place,
            mine,
            lambda done, all=len(mine): work.progress(done=done, total=all, unit="files"),  # type: ignore[misc]
        )
        np.save(_part(work, role, work.world.rank), found)


def _listed(work: Work, source: Source, role: str) -> list[bytes]:
    files = reads.files_of(role, work.place, source)
    return file_lists.named(str(reads.where(role, work.place)), files) if files else []


def _part(work: Work, role: str, rank: int) -> Path:
    return work.scratch / f"checksums-{role}-{rank}.npy"


def finish(work: Work, source: Source, before: Lists, progress: str | None = None) -> None:
    """Write the list into what is committed. For the main process, after all have read their part.

    Raises BadInput where files have changed since `begin`.
    """
    if not before:
        return
    lists = {}
    for role, was in before.items():
        place = str(reads.where(role, work.place))
        now = file_lists.look(place, reads.files_of(role, work.place, source))
        digests = np.zeros((len(now), 32), dtype=np.uint8)
        parts = [np.load(_part(work, role, rank)) for rank in range(work.world.size)]
        changed = _changed({role: was}, {role: now})
        if not changed and sum(map(len, parts)) != len(now):
            changed = [f"{role}: another number of files"]
        if changed:
            if progress is not None:
                shutil.rmtree(work.scratch / progress, ignore_errors=True)
            raise BadInput(
                f"files at {place} have changed while they were read ({'; '.join(changed)}): what "
                "was made would be of two data sets; run again when they stay as they are"
            )
        for rank, part in enumerate(parts):
            digests[rank :: work.world.size] = part
        lists[role] = FileList(now.paths, now.sizes, now.times, digests)
    file_lists.write(work.folder / FILES, lists)
