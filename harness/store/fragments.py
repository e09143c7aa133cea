"""The files that records lie in: their names, their checksums, what each holds.

    results/records/TABLE/KEY.HASH.json            one stage's rows, as its worker wrote them
    results/records/TABLE/compact.HASH.parquet     many stages' rows, beside compact.HASH.keys

HASH is the beginning of the file's own SHA-256, so a damaged file is found without a checksum
table. A fragment is JSON, a column that is the same in all rows written once: it is read in a
thirtieth of the time that a Parquet file of a few rows takes (until version 4 fragments were
Parquet; those are read as well, and are gone after one compaction). What is compacted is Parquet,
which pandas and DuckDB read without us.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import HarnessError
from harness.store import files, tables

if TYPE_CHECKING:
    import pyarrow

COMPACT = "compact"
READS = 16  # of a folder that changes under the reader, before giving up
BATCH = 20_000  # rows that are written together
GATHERED = (
    2_000  # rows that are put together at a time: as Python objects they take ten times as much
)

Found = TypeVar("Found")
Rows = list[dict[str, Any]]


class UnreadableRecords(HarnessError):
    """Records that cannot be read as they are; reading a part of them would mislead."""


class Damaged(Exception):
    """One record file cannot be used; the message says why."""


@dataclass
class Fragments:
    """The record files of one table, by what they hold."""

    single: dict[str, list[Path]] = field(default_factory=dict)  # key -> files, mostly one
    compact: dict[Path, set[str]] = field(default_factory=dict)  # file -> keys inside
    corrupt: dict[Path, str] = field(default_factory=dict)  # file -> what is wrong with it
    newer: dict[Path, str] = field(default_factory=dict)  # file -> which harness wrote it

    @property
    def keys(self) -> set[str]:
        """Every key that a sound file holds."""
        return set(self.single).union(*self.compact.values())


def folder(root: Path, table: str) -> Path:
    """Where the files of a table lie."""
    return Path(root) / "records" / table


def listing(root: Path, table: str) -> tuple[dict[str, list[Path]], list[Path]]:
    """Names alone: the fragments by key, and the compacted files, each sorted."""
    here = folder(root, table)
    single: dict[str, list[Path]] = {}
    compact: list[Path] = []
    try:
        names = sorted(os.listdir(here))
    except FileNotFoundError:
        return single, compact
    except NotADirectoryError:
        raise UnreadableRecords(
            f"{here} is not a folder: move it away, and the same `run` command writes the records "
            "again from the artifacts"
        ) from None
    for name in names:
        parts = name.split(".")
        if name.startswith("_") or len(parts) != 3 or f".{parts[2]}" not in (".json", ".parquet"):
            continue
        if parts[0] == COMPACT:
            compact.append(here / name)
        else:
            single.setdefault(parts[0], []).append(here / name)
    return single, compact


def whole(read: Callable[[], Found], table: str) -> Found:
    """`read()`, again while files vanish under it. Raises UnreadableRecords if they go on to.

    A file that vanishes while it is read was compacted by another process: the folder is read
    again, as part of the records would pass for all of them.
    """
    for attempt in range(READS):
        try:
            return read()
        except FileNotFoundError:
            if attempt + 1 == READS:
                break
            time.sleep(0.02 * 1.7**attempt)  # 80 s in all: network disks list what was a minute ago
        except OSError as error:
            raise UnreadableRecords(f"cannot read {error.filename}: {error.strerror}") from error
    raise UnreadableRecords(
        f"the records of table {table!r} change faster than they can be read (another process "
        "merges them): try again in a minute"
    )


def checked(path: Path) -> bytes:
    """The file's bytes. Raises Damaged where they do not fit its name, FileNotFoundError."""
    try:
        data = files.read_bytes(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Damaged(f"cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest()[:16] != path.name.split(".")[1]:
        raise Damaged("does not match its checksum")
    return data


def scan(root: Path, table: str) -> Fragments:
    """Every record file of a table, its checksum and its version verified.

    One of a newer version holds its keys, and is named in `newer`.
    """
    return whole(lambda: _scan(root, table), table)


def _scan(root: Path, table: str) -> Fragments:
    found = Fragments()
    single, compact = listing(root, table)
    for path in compact:
        try:
            _look(found, path)
            found.compact[path] = keys_of(path)
        except Damaged as error:
            found.corrupt[path] = str(error)
    for key, paths in single.items():
        for path in paths:
            try:
                _look(found, path)
                found.single.setdefault(key, []).append(path)
            except Damaged as error:
                found.corrupt[path] = str(error)
    return found


def _look(found: Fragments, path: Path) -> None:
    """Names a file of a newer version in `found`. Raises Damaged, FileNotFoundError."""
    data = checked(path)
    try:
        if path.suffix == ".json":
            decode(data, path)
        else:
            parquet_file(data, path)
    except UnreadableRecords as error:
        found.newer[path] = str(error)


def keys_of(path: Path) -> set[str]:
    """The keys that a compacted file holds: from the list beside it, else from its own column.

    A list that was damaged names keys that are nobody's, or lacks some: those are then recorded
    a second time, which reading and compaction notice.
    """
    try:
        return set(path.with_suffix(".keys").read_text().split())
    except (OSError, ValueError):
        return keys_in(path)


def keys_in(path: Path) -> set[str]:
    """The keys in a compacted file's own column. Raises Damaged, FileNotFoundError."""
    import pyarrow.parquet as pq

    try:
        column = pq.read_table(path, columns=["key"])["key"]
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever Arrow says of bytes that are no Parquet
        raise Damaged(f"cannot be read ({error})") from None
    return set(column.unique().to_pylist())


# --- one stage's rows -----------------------------------------------------------------------------


def encode(table: str, rows: Rows) -> bytes:
    """A fragment of these rows, in the order of their identity. Not finite: missing."""
    from harness.version import __version__

    rows = sorted(rows, key=lambda row: tuple(row[i] for i in tables.IDENTITY[table]))
    columns: dict[str, Any] = {}
    for column in tables.TABLES[table]:
        values = [_finite(row.get(column.name)) for row in rows]
        if any(value is not None for value in values):
            same = len(set(map(repr, values))) == 1
            columns[column.name] = values[0] if same else values
    about = {"harness": __version__, "version": tables.VERSION, "rows": len(rows)}
    text = json.dumps({**about, "columns": columns}, separators=(",", ":"), allow_nan=False)
    return text.encode()


def name_of(key: str, data: bytes) -> str:
    """The name of a stage's fragment that holds these bytes."""
    return f"{key}.{files.digest(data)[:16]}.json"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def decode(data: bytes, path: Path) -> dict[str, Any]:
    """The content that `encode` wrote. Raises Damaged; of a newer version UnreadableRecords."""
    try:
        content = json.loads(data)
        version, rows, columns = content["version"], content["rows"], content["columns"]
        lists = [v for v in columns.values() if isinstance(v, list)]
        sound = "key" in columns and all(len(values) == rows for values in lists)
        of_newer = version > tables.VERSION
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Damaged("is not a record") from None
    if of_newer:
        raise newer(path, version, content.get("harness"))
    if not sound:
        raise Damaged("is not a record")
    return content  # type: ignore[no-any-return]


def newer(path: Path, version: int, harness: str | None) -> UnreadableRecords:
    """The error for records that say more than is known here."""
    from harness.version import __version__

    who = f"harness {harness}" if harness else "a newer harness"
    return UnreadableRecords(
        f"{path} was written by {who} (a newer harness: records version {version}; this is "
        f"{__version__}, which knows {tables.VERSION}): it says more of a number than is read "
        "here; update the code"
    )


# --- many -----------------------------------------------------------------------------------------


def schema(table: str) -> pyarrow.Schema:
    """The explicit Arrow schema of a table; versions in its metadata."""
    import pyarrow as pa

    from harness.version import __version__

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
    }
    columns = [pa.field(c.name, types[c.type]) for c in tables.TABLES[table]]
    about = {"table": table, "version": str(tables.VERSION), "harness": __version__}
    return pa.schema(columns, about)


class Gathered:
    """Fragments put together to Arrow tables of some BATCH rows."""

    def __init__(self, table: str) -> None:
        self.schema = schema(table)
        self._clear()

    def _clear(self) -> None:
        self.columns: dict[str, list[Any]] = {name: [] for name in self.schema.names}
        self.rows = 0
        self.tables: list[pyarrow.Table] = []  # of Parquet fragments, read already

    def add(self, content: dict[str, Any]) -> None:
        """Add what `decode` gave. Raises Damaged for a value of another type than the column's."""
        count, given = content["rows"], content["columns"]
        for name, values in self.columns.items():
            value = given.get(name)
            values.extend(value if isinstance(value, list) else [value] * count)
        self.rows += count

    def full(self) -> bool:
        """Is it time to `take`? Memory is bounded by it."""
        return (
            self.rows + sum(map(len, self.tables)) >= min(GATHERED, BATCH)
            or len(self.tables) >= 512
        )

    def take(self) -> pyarrow.Table:
        """All that was added, as one table; begins anew."""
        import pyarrow as pa

        arrays = [pa.array(self.columns[f.name], f.type) for f in self.schema]
        parts = [pa.table(arrays, schema=self.schema), *self.tables]
        self._clear()
        return pa.concat_tables(parts).combine_chunks()


def parquet(table: str, data: bytes, path: Path) -> pyarrow.Table:
    """A Parquet file's rows under the whole schema; what is not finite is missing.

    Raises Damaged, UnreadableRecords for a newer version's.
    """
    import pyarrow as pa

    try:
        return aligned(table, parquet_file(data, path).read())
    except (pa.ArrowException, OSError) as error:
        raise Damaged(f"cannot be read ({error})") from None


def parquet_file(data: bytes, path: Path) -> pyarrow.parquet.ParquetFile:
    """A Parquet file's head. Raises Damaged, UnreadableRecords for a newer version's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise Damaged(f"cannot be read ({error})") from None
    refuse_newer(file, path)
    return file


def refuse_newer(file: Any, path: Path) -> None:
    """Raises UnreadableRecords where a Parquet file is of a newer version, Damaged where it does
    not say of which."""
    metadata = file.schema_arrow.metadata or {}
    try:
        version = int(metadata.get(b"version", b"0"))
    except ValueError:
        raise Damaged(f"says version {metadata[b'version']!r}, which is no number") from None
    if version > tables.VERSION:
        writer = metadata.get(b"harness", b"").decode(errors="replace")
        raise newer(path, version, writer or None)


def aligned(table: str, part: pyarrow.Table) -> pyarrow.Table:
    """Under today's schema: a column that is not there yet is null; so is what is not finite.

    Raises Damaged: there are no keys, so that nobody knows what its rows are of.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    target = schema(table)
    if "key" not in part.column_names:
        raise Damaged("has no column key")
    columns = []
    for f in target:
        if f.name not in part.column_names:
            columns.append(pa.nulls(len(part), f.type))
            continue
        column = part[f.name].cast(f.type)
        if pa.types.is_floating(f.type):
            finite = pc.is_finite(column)
            if not pc.all(finite).as_py() and column.null_count < len(column):
                column = pc.if_else(finite, column, pa.scalar(None, f.type))
        columns.append(column)
    return pa.table(columns, schema=target)


@dataclass(frozen=True)
class Batch:
    """Several fragments' rows, the files they are of, and files that are damaged."""

    content: pyarrow.Table
    paths: list[Path]
    damaged: dict[Path, str]
    newer: dict[Path, UnreadableRecords]  # those of a newer version, none of whose rows is here


def batches(table: str, paths: Iterable[Path]) -> Iterator[Batch]:
    """Fragments (one stage's each) put together to tables of some BATCH rows."""
    gathered, read, damaged = Gathered(table), list[Path](), dict[Path, str]()
    newer = dict[Path, UnreadableRecords]()
    for path in paths:
        try:
            data = checked(path)
            if path.suffix == ".json":
                gathered.add(decode(data, path))
            else:
                gathered.tables.append(parquet(table, data, path))
            read.append(path)
        except Damaged as error:
            damaged[path] = str(error)
        except UnreadableRecords as error:
            newer[path] = error
        if gathered.full():
            yield Batch(gathered.take(), read, damaged, newer)
            read, damaged, newer = [], {}, {}
    if read or damaged or newer:
        yield Batch(gathered.take(), read, damaged, newer)
