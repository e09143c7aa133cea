"""One table's records, every key once: checksums verified, copies dropped, contradictions named."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from harness.store import conflicts, fragments, tables
from harness.store.conflicts import Conflict
from harness.store.fragments import Batch, Damaged, UnreadableRecords

if TYPE_CHECKING:
    import pyarrow


Parts = list[tuple[Path | None, "pyarrow.Table"]]  # the file that one is of


@dataclass(frozen=True)
class Loaded:
    """A table as it was found (with `texts_once`), sorted by its identity; what is left out, and
    why."""

    content: pyarrow.Table
    corrupt: dict[Path, str]
    conflicts: tuple[Conflict, ...]
    newer: dict[Path, Newer] = field(default_factory=dict)


@dataclass(frozen=True)
class Newer:
    """A record file of a newer version: none of its rows is shown, as it may say more of each."""

    keys: frozenset[str]
    said: str  # which version wrote it, and what to do


def load(root: Path, table: str) -> Loaded:
    """All records of a table. Raises UnreadableRecords where they cannot be read just now."""
    return fragments.whole(partial(_load, Path(root), table), table)


def _load(root: Path, table: str) -> Loaded:
    import pyarrow as pa

    single, compact = fragments.listing(root, table)
    corrupt: dict[Path, str] = {}
    newer: dict[Path, Newer] = {}
    parts: Parts = []
    for path in compact:
        try:
            content = fragments.parquet(table, fragments.checked(path), path)
            parts.append((path, texts_once(table, content)))
        except Damaged as error:
            corrupt[path] = str(error)
        except UnreadableRecords as error:
            newer[path] = Newer(_keys_in(path, error), str(error))
    twice = {key: paths for key, paths in single.items() if len(paths) > 1}
    for path in (path for paths in twice.values() for path in paths):
        for batch in fragments.batches(table, [path]):
            corrupt |= batch.damaged
            newer |= _newer(batch)
            parts.append((path, texts_once(table, batch.content)))
    alone = (paths[0] for paths in single.values() if len(paths) == 1)
    for batch in fragments.batches(table, alone):
        corrupt |= batch.damaged
        newer |= _newer(batch)
        parts.append((None, texts_once(table, batch.content)))  # of many files
    parts = [(path, part) for path, part in parts if len(part)]
    found: list[Conflict] = []
    if len(parts) > 1:
        parts, found = _once(table, parts, single)
    contents = [part for _, part in parts]
    contents = contents or [texts_once(table, fragments.schema(table).empty_table())]
    return Loaded(in_order(table, pa.concat_tables(contents)), corrupt, tuple(found), newer)


def _newer(batch: Batch) -> dict[Path, Newer]:
    """Of fragments: a file's name says whose rows it holds."""
    return {
        path: Newer(frozenset([path.name.split(".")[0]]), str(error))
        for path, error in batch.newer.items()
    }


def _keys_in(path: Path, error: UnreadableRecords) -> frozenset[str]:
    """The keys of a newer version's Parquet file. Raises `error` where it does not tell them."""
    try:
        return frozenset(fragments.keys_in(path))
    except Damaged:
        raise error from None


def texts_once(table: str, content: pyarrow.Table) -> pyarrow.Table:
    """The same rows, each text of a column held once, but for the columns of the identity.

    Most of a row's texts are those of its neighbours: as they are in the files they take four
    times as much.
    """
    import pyarrow as pa

    for i, column in enumerate(content.schema):
        if pa.types.is_string(column.type) and column.name not in tables.IDENTITY[table]:
            content = content.set_column(i, column.name, content[column.name].dictionary_encode())
    return content


def _once(table: str, parts: Parts, single: dict[str, list[Path]]) -> tuple[Parts, list[Conflict]]:
    """The parts without repeated keys. Of copies the first is kept, with the rows that only another
    one has; of contradictions nothing is kept."""
    import pyarrow as pa
    import pyarrow.compute as pc

    holders: dict[str, list[int]] = {}
    for number, (_, part) in enumerate(parts):
        for key in pc.unique(part["key"]).to_pylist():
            holders.setdefault(key, []).append(number)
    repeated = {key: numbers for key, numbers in holders.items() if len(numbers) > 1}
    if not repeated:
        return parts, []
    rows: dict[tuple[int, str], conflicts.Rows] = {}
    wanted = pa.array(list(repeated), pa.string())
    for number, (_, part) in enumerate(parts):
        for row in part.filter(pc.is_in(part["key"], wanted)).to_pylist():
            rows.setdefault((number, row["key"]), []).append(row)
    dropped: dict[int, list[str]] = {}
    more: conflicts.Rows = []  # rows that only a copy has which is not kept
    found = []
    for key, numbers in repeated.items():
        losers = numbers[1:]
        for one, other in combinations(numbers, 2):
            what = conflicts.contradiction(table, rows[one, key], rows[other, key])
            if what is not None:
                paths = (parts[one][0] or single[key][0], parts[other][0] or single[key][0])
                found.append(Conflict(table, key, what, paths))
                losers = numbers
                break
        else:
            union = conflicts.united(table, [rows[n, key] for n in numbers])
            known = {conflicts.identity(table, row) for row in rows[numbers[0], key]}
            more += [row for row in union if conflicts.identity(table, row) not in known]
        for n in losers:
            dropped.setdefault(n, []).append(key)
    out: Parts = []
    for number, (path, part) in enumerate(parts):
        gone = pa.array(dropped.get(number, []), pa.string())
        out.append((path, part.filter(pc.invert(pc.is_in(part["key"], gone)))))
    if more:
        content = pa.Table.from_pylist(more, schema=fragments.schema(table))
        out.append((None, texts_once(table, content)))
    return out, found


def in_order(table: str, content: pyarrow.Table) -> pyarrow.Table:
    """The rows in the order of their identity, in which one compacted file mostly lies already.

    A row that stands twice in one file is left out once.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = tables.IDENTITY[table]
    order = pc.sort_indices(content, sort_keys=[(name, "ascending") for name in ids])
    if pc.all(pc.equal(order, _upwards(len(order)))).as_py() is False:
        content = content.take(order)
    if len(content) < 2:
        return content
    again = pc.equal(content[ids[0]].slice(1), content[ids[0]].slice(0, len(content) - 1))
    for name in ids[1:]:
        same = pc.equal(content[name].slice(1), content[name].slice(0, len(content) - 1))
        again = pc.and_(again, same)
    if not pc.any(again).as_py():
        return content
    kept = [True, *pc.invert(pc.fill_null(again, False)).to_pylist()]
    return content.filter(pa.array(kept))


def _upwards(count: int) -> pyarrow.Array:
    import numpy as np
    import pyarrow as pa

    return pa.array(np.arange(count, dtype=np.uint64))
