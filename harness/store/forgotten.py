"""Artifacts that are set aside: their stages are missing again, as if they had never been done.

    results/forgotten/WHEN/    what was moved away, laid out as a results folder: `merge` of it
                               brings everything back, deleting it frees the space

The artifact goes last, and readers write nothing from what has gone: killed in between, the same
command goes on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path

from harness.store import compaction, files
from harness.store.artifacts import Store

FOLDER = "forgotten"


def place(store: Store) -> Path:
    """A new folder for what is set aside."""
    when = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    found = store.root / FOLDER / f"{when}-{uuid.uuid4().hex[:6]}"
    files.make_folder(found)
    return found


def forget_records(store: Store, keys: Collection[str], away: Path) -> None:
    """Take the rows of these keys out of the records; they are kept in `away`.

    The caller holds the claim "compaction". Errors: NotWritable, DiskFull, UnreadableRecords.
    """
    compaction.take_out(store.root, keys, away)


def forget(store: Store, kind: str, key: str, away: Path) -> None:
    """Move one stage's attempts and artifact to `away`; its progress is deleted.

    The caller holds the key's claim, and has taken its records out.
    """
    shutil.rmtree(store.root / "scratch" / key, ignore_errors=True)
    _move(store.root / "attempts" / key, away / "attempts" / key)
    mark = store.root / "pruned" / key
    if mark.exists():  # with the artifact, or its files would count as lost
        target = away / "pruned" / key
        files.make_folder(target.parent)
        shutil.copyfile(mark, target)
    _move(store.folder(kind, key), away / "artifacts" / kind / key)
    mark.unlink(missing_ok=True)


def _move(source: Path, target: Path) -> None:
    files.make_folder(target.parent)
    files.step("move", source)
    with files.explained(source), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.rename(source, target)


def hanging(
    store: Store, named: Iterable[str], more: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """Committed artifacts among `named` and all that were made of those: key -> kind.

    Those that were made come before those that they were made of. Manifests tell, whichever study
    they are of; more: (key, made of key) pairs that they do not know.
    """
    kinds: dict[str, str] = {}
    above: dict[str, set[str]] = {}  # key -> what was made of it
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for entry in sorted(os.scandir(store.root / "artifacts"), key=lambda e: e.name):
            for key in store.committed([entry.name]):
                kinds[key] = entry.name
    for key, kind in kinds.items():
        for need in _inputs(store, kind, key):
            above.setdefault(need, set()).add(key)
    for key, need in more:
        above.setdefault(need, set()).add(key)
    order: list[str] = []
    seen: set[str] = set()

    def visit(start: str) -> None:
        stack = [(start, False)]
        while stack:
            key, left = stack.pop()
            if left:
                order.append(key)
            elif key not in seen:
                seen.add(key)
                stack.append((key, True))
                stack.extend((made, False) for made in sorted(above.get(key, ())))

    for key in named:
        visit(key)
    return {key: kinds.get(key, "") for key in order}


def _inputs(store: Store, kind: str, key: str) -> list[str]:
    from harness.store.artifacts import CorruptArtifact

    with contextlib.suppress(CorruptArtifact):
        manifest = store.manifest(kind, key)
        if manifest is not None:
            return list(manifest.inputs.values())
    return []
