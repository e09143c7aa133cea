"""Artifacts whose payload was removed to save space: their manifest and their rows stay.

    results/pruned/KEY     its manifest, record, list of files and strip of samples alone are left,
                           on purpose

For whoever reads numbers, such a stage is done. A stage that needs its files has to make it again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.store import files
from harness.store.artifacts import MANIFEST, RECORD, CorruptArtifact, Store, UnreadableArtifact

# files.parquet says of which files it was made; strip.npz are the first of many samples, a picture
KEPT = (MANIFEST, RECORD, "files.parquet", "strip.npz")


def pruned_keys(store: Store) -> set[str]:
    """Keys whose payload was pruned. One directory listing."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return {entry.name for entry in os.scandir(store.root / "pruned")}
    return set()


def prune(store: Store, kind: str, key: str) -> int:
    """Remove an artifact's payload, keep its manifest and rows. How many bytes that freed.

    The mark comes first: killed in between, what is left counts as pruned, and pruning goes on.
    """
    manifest = store.manifest(kind, key)
    if manifest is None:
        return 0
    mark(store, kind, key)
    freed = 0
    for name in manifest.files:
        path = store.folder(kind, key) / name
        if name not in KEPT and path.exists():
            freed += path.stat().st_size
            files.step("delete", path)
            path.unlink()
    return freed


def mark(store: Store, kind: str, key: str) -> None:
    """Say of an artifact that its payload was removed on purpose."""
    path = _mark(store, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomic(path, f"{kind}\n".encode())


def make_room(store: Store, kind: str, key: str) -> None:
    """Before a stage that was removed is made again: what is left of it goes to quarantine/.

    What is whole stays, and is found done: a network disk had not listed it yet. So does what
    cannot be read now.
    """
    try:
        store.open(kind, key, verify=False)
    except UnreadableArtifact:
        return
    except CorruptArtifact:
        store.quarantine(kind, key)
    path = _mark(store, key)
    with files.explained(path):
        path.unlink(missing_ok=True)


def _mark(store: Store, key: str) -> Path:
    return store.root / "pruned" / key
