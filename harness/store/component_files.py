"""A study's component files beside its results: copies for tasks, and what a version meant."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.components import files, registry
from harness.components.files import File
from harness.store import files as store_files


def keep(brought: Iterable[File], root: Path) -> None:
    """Copy the files into a results folder, under their SHA-256, for its tasks. A copy whose
    content does not match its name is written again, because every task would refuse it."""
    for file in brought:
        copy = files.copy_of(root, file.sha256)
        if not (copy.exists() and file.sha256 == hashlib.sha256(copy.read_bytes()).hexdigest()):
            copy.parent.mkdir(parents=True, exist_ok=True)
            store_files.write_atomic(copy, file.path.read_bytes())


def changed(brought: Iterable[File], root: Path) -> list[str]:
    """Components whose file differs from the one that their version was used with here, as
    sentences; or whose file imports one of the study's that is another."""
    found = []
    for entry, file, known in _used(brought, root):
        if known and content_of(file) not in known and not _of_before(file, known):
            cls = entry.load()
            which = entry.where
            if _own(known) & {file.sha256}:
                which += f" imports {', '.join(f.name for f in file.uses)}, of which one"
            found.append(
                f"{which} has changed since {registry.word(entry.kind)} {entry.name!r} "
                f"version {cls.version} was used in {root}: raise its version if its output may be "
                "another, or say --same-output"
            )
    return found


def remember(brought: Iterable[File], root: Path) -> None:
    """Write down which file each component's version was used with in a results folder."""
    for entry, file, known in _used(brought, root):
        if content_of(file) not in known:
            path = _version_path(root, entry)
            path.parent.mkdir(parents=True, exist_ok=True)
            store_files.write_atomic(path, json.dumps([*known, content_of(file)]).encode())


def content_of(file: File) -> str:
    """Its SHA-256; behind a plus, where it imports others of the study's files, that of theirs."""
    if not file.uses:
        return file.sha256
    others = "\n".join(sorted(each.sha256 for each in file.uses))
    return f"{file.sha256}+{hashlib.sha256(others.encode()).hexdigest()}"


def _own(known: Iterable[str]) -> set[str]:
    return {each.partition("+")[0] for each in known}


def _of_before(file: File, known: list[str]) -> bool:
    """Was it used before the imports of a file were written down too?"""
    return file.sha256 in known and not any(each.startswith(f"{file.sha256}+") for each in known)


def _used(brought: Iterable[File], root: Path) -> Iterator[tuple[registry.Entry, File, list[str]]]:
    """The files' components, each with its file and what its version was used with."""
    mine = {file.sha256: file for file in brought}
    for entry in registry.entries():
        if (file := mine.get(entry.sha256 or "")) is not None:
            known: Any = []
            with contextlib.suppress(OSError, ValueError):
                known = json.loads(_version_path(root, entry).read_text())
            known = known if isinstance(known, list) else []
            yield entry, file, [each for each in known if isinstance(each, str)]


def _version_path(root: Path, entry: registry.Entry) -> Path:
    safe = hashlib.sha256(f"{entry.kind}:{entry.name}".encode()).hexdigest()[:16]
    return root / files.FOLDER / "versions" / f"{entry.kind}-{safe}-{entry.load().version}.json"
