"""The Parquet records: one fragment per stage key, compacted when there are many.

    results/records/TABLE/KEY.HASH.parquet         one stage's rows
    results/records/TABLE/compact.HASH.parquet     many stages' rows, beside compact.HASH.keys

HASH is the beginning of the file's own SHA-256, so a damaged fragment is found without a checksum
table. Fragments are derived: an artifact holds its rows (record.json), and `reconcile` writes what
is missing or damaged. Reading drops repeated rows (a crash between compaction and clean-up leaves
some), so every key is recorded exactly once. A file that vanishes while it is read was compacted by
another process: the folder is read again, as part of the records would pass for all of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import HarnessError
from harness.store import files, older, tables
from harness.store.artifacts import CorruptArtifact, Store

if TYPE_CHECKING:
    import pandas
    import pyarrow

COMPACT = "compact"
TABLES_OF = {  # stage kind -> the tables its records go to
    "train": ("runs", "training"),
    "evaluate": ("metrics",),
    "reference": ("metrics",),
}


READS = 12  # of a folder that changes under the reader, before giving up

Found = TypeVar("Found")


class CorruptRecord(UserWarning):
    """A record file that does not match its checksum; it is left out."""


class UnreadableRecords(HarnessError):
    """Records that cannot be read as they are; reading a part of them would mislead."""


@dataclass
class Fragments:
    """The record files of one table, by what they hold."""

    single: dict[str, Path] = field(default_factory=dict)  # key -> file
    compact: list[Path] = field(default_factory=list)
    compacted: set[str] = field(default_factory=set)  # keys inside compact files
    corrupt: list[Path] = field(default_factory=list)

    @property
    def keys(self) -> set[str]:
        return self.single.keys() | self.compacted


def schema(table: str) -> pyarrow.Schema:
    """The explicit Arrow schema of a table, its version in the metadata."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
    }
    columns = [pa.field(c.name, types[c.type]) for c in tables.TABLES[table]]
    return pa.schema(columns, {"table": table, "version": str(tables.VERSION)})


def scan(root: Path, table: str) -> Fragments:
    """Every record file of a table, its checksum verified. No Parquet library needed."""
    return _whole(partial(_scan, Path(root) / "records" / table), table)


def _whole(read: Callable[[], Found], table: str) -> Found:
    """`read()`, again while files vanish under it. Raises UnreadableRecords if they go on to."""
    for attempt in range(READS):
        try:
            return read()
        except FileNotFoundError:
            if attempt + 1 == READS:
                break
            time.sleep(0.02 * 1.7**attempt)  # 15 s in all: folders are cached on network disks
        except OSError as error:
            raise UnreadableRecords(f"cannot read {error.filename}: {error.strerror}") from error
    raise UnreadableRecords(
        f"the records of table {table!r} change faster than they can be read (another process "
        "merges them): try again in a minute"
    )


def _scan(folder: Path) -> Fragments:
    found = Fragments()
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return found
    for name in names:
        parts = name.split(".")
        if name.startswith("_") or len(parts) != 3 or parts[2] != "parquet":
            continue
        path = folder / name
        if files.sha256(path)[:16] != parts[1]:
            found.corrupt.append(path)
        elif parts[0] == COMPACT:
            try:
                keys = path.with_suffix(".keys").read_text().split()
            except OSError:
                if not path.exists():
                    raise FileNotFoundError(path) from None  # merged into another just now
                found.corrupt.append(path)  # cannot say what it holds
                continue
            found.compact.append(path)
            found.compacted.update(keys)
        else:
            found.single.setdefault(parts[0], path)
    return found


def write(root: Path, table: str, key: str, rows: list[dict[str, Any]]) -> None:
    """Write one stage's rows as a fragment. Errors: KeyError for a column the schema lacks."""
    import pyarrow as pa

    for row in rows:
        tables.check(table, row)
    _write(root, table, key, pa.Table.from_pylist(rows, schema=schema(table)))


def _write(root: Path, table: str, stem: str, content: pyarrow.Table, also: str = "") -> Path:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(content, buffer, compression="zstd", write_page_checksum=True)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = Path(root) / "records" / table / f"{stem}.{digest}.parquet"
    if also:
        files.write_atomic(path.with_suffix(".keys"), also.encode())
    files.write_atomic(path, data)
    return path


def reconcile_one(store: Store, kind: str, key: str) -> None:
    """Write the records of an artifact that was committed just now, where they are not there."""
    artifact = store.open(kind, key, verify=False)
    if artifact is None:
        return
    for table, rows in artifact.rows().items():
        folder = store.root / "records" / table
        if rows and not any(folder.glob(f"{key}.*.parquet")):
            write(store.root, table, key, rows)


def reconcile(store: Store, committed: dict[str, str]) -> list[str]:
    """Make the records complete for committed artifacts {key: kind}.

    Missing or damaged fragments are written again from the artifacts. Returns what was repaired,
    as sentences. Damaged files are moved to results/quarantine/.
    """
    repaired = []
    for table in tables.TABLES:
        found = scan(store.root, table)
        for path in found.corrupt:
            aside = store.root / "quarantine" / path.name
            aside.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, aside)
            repaired.append(f"record {path} did not match its checksum: moved to {aside}")
        for key, kind in committed.items():
            if key in found.keys or table not in TABLES_OF.get(kind, ()):
                continue
            try:
                manifest = store.manifest(kind, key)
                if manifest is None or not manifest.get("tables", {table: 1}).get(table):
                    continue  # nothing to record: do not read a checkpoint to find that out
                artifact = store.open(kind, key)
                rows = artifact.rows().get(table, []) if artifact else []
            except (CorruptArtifact, ValueError):
                continue  # the driver offers the stage again
            if rows:
                write(store.root, table, key, rows)
    return repaired


def compact(root: Path, above: int = 64) -> None:
    """Merge a table's fragments into one file when there are more than `above`.

    The merged file is durable before any fragment is deleted; one process at a time (the caller
    holds the claim).
    """
    import pyarrow as pa

    for table in tables.TABLES:
        found = scan(root, table)
        if len(found.single) <= above and len(found.compact) < 2:
            continue
        try:
            merged = _load(table, [*found.compact, *found.single.values()])
        except (FileNotFoundError, UnreadableRecords):
            continue  # another process merged them, or can: that of a newer version
        ids = list(tables.IDENTITY[table])
        frame = merged.to_pandas(types_mapper=_nullable).drop_duplicates(ids).sort_values(ids)
        content = pa.Table.from_pandas(frame, schema=schema(table), preserve_index=False)
        new = _write(root, table, COMPACT, content, "\n".join(sorted(found.keys)))
        for path in [*found.compact, *found.single.values()]:
            if path != new:
                files.step("delete", path)
                path.unlink(missing_ok=True)
                path.with_suffix(".keys").unlink(missing_ok=True)


def read_frames(root: str | Path = "results") -> dict[str, pandas.DataFrame]:
    """All records as pandas frames "runs", "metrics", "training" (nullable types).

    Damaged files are named in a CorruptRecord warning and left out; `run` writes them again.
    What older records lack is filled in from what they have (harness.store.older).
    Raises UnreadableRecords for those of a newer version.
    """
    frames = {}
    for table in tables.TABLES:
        found, content = _whole(partial(_read, Path(root), table), table)
        for path in found.corrupt:
            warnings.warn(
                f"record {path} is damaged and left out; the same `run` command restores it",
                CorruptRecord,
                stacklevel=2,
            )
        ids = list(tables.IDENTITY[table])
        frame = content.to_pandas(types_mapper=_nullable)
        frames[table] = frame.drop_duplicates(ids).sort_values(ids).reset_index(drop=True)
    older.complete(frames, Store(root))
    return frames


def _read(root: Path, table: str) -> tuple[Fragments, pyarrow.Table]:
    found = scan(root, table)
    return found, _load(table, [*found.compact, *found.single.values()])


def _load(table: str, paths: Iterable[Path]) -> pyarrow.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = schema(table)
    parts = []
    for path in paths:
        try:
            file = pq.ParquetFile(path, page_checksum_verification=True)
            version = int((file.schema_arrow.metadata or {}).get(b"version", b"0"))
            part = file.read() if version <= tables.VERSION else None
        except FileNotFoundError:
            raise  # compacted just now
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UnreadableRecords(
                f"{path} has the checksum in its name and cannot be read all the same ({error}): "
                "move it away, and `run` writes it again"
            ) from error
        if part is None:
            raise UnreadableRecords(
                f"{path} was written by a newer harness (records version {version}, this one knows "
                f"{tables.VERSION}): it says more of a number than is read here; update the code"
            )
        columns = [
            part[f.name] if f.name in part.column_names else pa.nulls(len(part), f.type)
            for f in target
        ]
        parts.append(pa.table(columns, schema=target))
    return pa.concat_tables(parts) if parts else target.empty_table()


def _nullable(arrow_type: Any) -> Any:
    import pandas as pd

    return {
        "int64": pd.Int64Dtype(),
        "string": pd.StringDtype(),
    }.get(str(arrow_type))
