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
    """Copy the files into a results folder, under their SHA-256, for its tasks."""
    for file in brought:
        copy = files.copy_of(root, file.sha256)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            store_files.write_atomic(copy, file.path.read_bytes())


def changed(brought: Iterable[File], root: Path) -> list[str]:
    """Components whose file is another than their version was used with here, as sentences."""
    found = []
    for entry, known in _used(brought, root):
        if known and entry.sha256 not in known:
            cls = entry.load()
            found.append(
                f"{entry.where} has changed since {registry.word(entry.kind)} {entry.name!r} "
                f"version {cls.version} was used in {root}: raise its version if its output may be "
                "another, or say --same-output"
            )
    return found


def remember(brought: Iterable[File], root: Path) -> None:
    """Write down which file each component's version was used with in a results folder."""
    for entry, known in _used(brought, root):
        if entry.sha256 is not None and entry.sha256 not in known:
            path = _version_path(root, entry)
            path.parent.mkdir(parents=True, exist_ok=True)
            store_files.write_atomic(path, json.dumps([*known, entry.sha256]).encode())


def _used(brought: Iterable[File], root: Path) -> Iterator[tuple[registry.Entry, list[str]]]:
    """The files' components, each with the SHA-256s its version was used with."""
    mine = {file.sha256 for file in brought}
    for entry in registry.entries():
        if entry.sha256 in mine:
            known: Any = []
            with contextlib.suppress(OSError, ValueError):
                known = json.loads(_version_path(root, entry).read_text())
            yield entry, known if isinstance(known, list) else []


def _version_path(root: Path, entry: registry.Entry) -> Path:
    safe = hashlib.sha256(f"{entry.kind}:{entry.name}".encode()).hexdigest()[:16]
    return root / files.FOLDER / "versions" / f"{entry.kind}-{safe}-{entry.load().version}.json"
