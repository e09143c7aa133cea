"""Records made complete from what is committed, whichever study it is of.

An artifact holds its rows (record.json); record files are derived from them, so that numbers can be
read, and shared, without artifacts. What is committed and not recorded is written again, and is
shown by every reader before that.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.store import conflicts, files, fragments, tables
from harness.store.artifacts import CorruptArtifact, Store
from harness.store.codec import UnreadableResult
from harness.store.fragments import scan

TABLES_OF = {  # stage kind -> the tables its records go to
    "train": ("runs", "training"),
    "evaluate": ("metrics",),
    "floor": ("metrics",),
    "ceiling": ("metrics",),
    "subset": ("metrics",),
    "reference": ("metrics",),  # until 0.1 the floors were its rows
}

KINDS_OF = {t: [k for k, its in TABLES_OF.items() if t in its] for t in tables.TABLES}


@dataclass
class Unrecorded:
    """Rows of committed artifacts that no record file holds, and artifacts that cannot be read."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # key -> rows
    unreadable: list[str] = field(default_factory=list)


def write(root: Path, table: str, key: str, rows: list[dict[str, Any]]) -> Path:
    """Write one stage's rows as a fragment.

    Errors: KeyError for a column the schema lacks, TypeError for a value of another type.
    """
    for row in rows:
        tables.check(table, row)
    data = fragments.encode(table, rows)
    path = fragments.folder(root, table) / fragments.name_of(key, data)
    files.write_atomic(path, data)
    return path


def reconcile_one(store: Store, kind: str, key: str) -> None:
    """Write the records of an artifact that was committed just now, where they are not there.

    A record of the same key that came from another folder may lack a metric, or contradict it. A
    newer harness may have committed it first: its rows are left to it.
    """
    rows = None
    with contextlib.suppress(UnreadableResult):
        rows = store.rows(kind, key)
    for table, given in (rows or {}).items():
        if given and not _recorded(store.root, table, key, given):
            write(store.root, table, key, given)


def _recorded(root: Path, table: str, key: str, rows: list[dict[str, Any]]) -> bool:
    """Does a fragment hold all of these rows, and contradict none?"""
    folder = fragments.folder(root, table)
    name = fragments.name_of(key, fragments.encode(table, rows))
    # What cannot be read just now, or by this version: written twice is read once.
    with contextlib.suppress(OSError, fragments.UnreadableRecords):
        if (folder / name).is_file():
            return True
        paths = [p for ending in ("json", "parquet") for p in folder.glob(f"{key}.*.{ending}")]
        for batch in fragments.batches(table, paths):
            there = batch.content.to_pylist()
            if not conflicts.lacks(table, there, rows):
                return not conflicts.contradiction(table, there, rows)
    return False


def unrecorded(store: Store, table: str, keys: set[str] | Callable[[], set[str]]) -> Unrecorded:
    """All that is committed and not among the keys recorded in `table`.

    keys: a function is asked only where something is committed.
    """
    found = Unrecorded()
    committed = [(kind, key) for kind in KINDS_OF[table] for key in store.committed([kind])]
    known = set() if not committed else keys() if callable(keys) else keys
    for kind, key in sorted(pair for pair in committed if pair[1] not in known):
        try:
            manifest = store.manifest(kind, key)
            if manifest is None:
                continue
            if manifest.tables is not None and not manifest.tables.get(table):
                continue  # nothing to record: do not read a checkpoint to find that out
            rows = (store.rows(kind, key) or {}).get(table, [])
        except UnreadableResult as error:  # its own harness reads and records it
            found.unreadable.append(str(error))
            continue
        except CorruptArtifact as error:  # the driver offers the stage again
            found.unreadable.append(f"{error}; the `run` command of its study makes it again")
            continue
        if rows:
            found.rows[key] = rows
    return found


def reconcile(store: Store) -> list[str]:
    """Make the records complete for all that is committed, whichever study it is of.

    Missing and damaged fragments are written again from the artifacts; damaged files are moved to
    results/quarantine/. Those of a newer version are left where they are. Returns what was
    repaired and what could not be, as sentences.
    """
    notes = []
    for table in tables.TABLES:
        found = scan(store.root, table)
        notes += [*found.newer.values(), *set_aside(store, found.corrupt)]
        missing = unrecorded(store, table, found.keys)
        notes += missing.unreadable + record(store, table, missing)
    return notes


def record(store: Store, table: str, missing: Unrecorded) -> list[str]:
    """Write what is missing. Returns sentences about what was, and what could not be written."""
    one = (count := len(missing.rows)) == 1
    what = f"{count:,} record{'' if one else 's'} of table {table!r}"
    for key, rows in missing.rows.items():
        try:
            write(store.root, table, key, rows)
        except HarnessError as error:
            return [f"{what} {'is' if one else 'are'} not written again: {error}"]
    return [f"{what} {'was' if one else 'were'} missing: written again"] if count else []


def set_aside(store: Store, corrupt: dict[Path, str]) -> list[str]:
    """Move damaged record files to results/quarantine/. Returns sentences."""
    notes = []
    for path, reason in corrupt.items():
        if reason.startswith("cannot be read (") and _left(path):
            notes.append(f"record {path} {reason}; it is left where it is")
            continue
        aside = store.root / "quarantine" / path.name
        try:
            files.make_folder(aside.parent)
            os.replace(path, aside)
        except FileNotFoundError:
            continue
        except (OSError, HarnessError) as error:
            notes.append(f"record {path} {reason}, and cannot be moved away: {error}")
            continue
        notes.append(f"record {path} {reason}: moved to {aside}")
    return notes


def _left(path: Path) -> bool:
    """Cannot a record file be read by us alone, or just now? It may be another user's."""
    try:
        if path.suffix == ".json":  # of damaged ones another reason is given
            return path.is_file()
        with open(path, "rb") as file:
            files.step("read", path)
            file.read(1)
    except OSError as error:
        return not isinstance(error, (FileNotFoundError, IsADirectoryError))
    return False
