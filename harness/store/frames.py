"""Records as pandas frames, complete: what is committed is shown, whoever lost its record."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.store import completed, floors, fragments, loading, reconciling, tables
from harness.store.artifacts import Store
from harness.store.fragments import UnreadableRecords
from harness.store.loading import Loaded
from harness.store.reconciling import Unrecorded

if TYPE_CHECKING:
    import pandas
    import pyarrow


class CorruptRecord(UserWarning):
    """A record that is damaged, missing or contradicted, and what is shown in its place."""


@dataclass(frozen=True)
class Read:
    """The frames "runs", "metrics" and "training", and sentences on what was amiss."""

    frames: dict[str, pandas.DataFrame]
    notes: tuple[str, ...]


def read(root: str | Path, repair: bool = False) -> Read:
    """All records under `root` (nullable types), completed from the artifacts that are there.

    repair: write what is missing and move damaged files away, where the folder can be written.
    Raises UnreadableRecords for records of a newer version that no artifact here tells as well.
    """
    store = Store(root)
    frames, notes = {}, list[str]()
    for table in tables.TABLES:
        content, about = _complete(store, table, repair)
        notes += about
        frames[table] = content.to_pandas(types_mapper=_nullable)
    completed.complete(frames, store)
    floors.complete(frames["metrics"])
    frames["training"] = _with_facts(frames["training"], frames["runs"])
    for table, frame in frames.items():
        frame.attrs.update(attributes(table))
    return Read(frames, tuple(notes))


def read_frames(root: str | Path = "results") -> dict[str, pandas.DataFrame]:
    """`read`'s frames. Changes nothing; what was amiss is said in CorruptRecord warnings."""
    found = read(root)
    for note in found.notes:
        warnings.warn(note, CorruptRecord, stacklevel=2)
    return found.frames


def _complete(store: Store, table: str, repair: bool) -> tuple[pyarrow.Table, list[str]]:
    """A table's records and the rows of committed artifacts that are not among them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    loaded = loading.load(store.root, table)
    keys: Callable[[], set[str]] = lambda: set(pc.unique(loaded.content["key"]).to_pylist())  # noqa: E731
    missing = reconciling.unrecorded(store, table, keys)
    notes = [*missing.unreadable, *_newer(loaded, missing, keys)]
    if repair:
        notes += reconciling.set_aside(store, loaded.corrupt)
    for path, reason in {} if repair else loaded.corrupt.items():
        notes.append(f"record {path} {reason} and is left out; the same `run` command restores it")
    for conflict in loaded.conflicts:
        if conflict.key in missing.rows:
            notes.append(f"{conflict}; shown is what the artifact here says")
        else:
            notes.append(
                f"{conflict}; neither is shown: keep such results folders apart, or move the file "
                "that is wrong away"
            )
    left = {c.key for c in loaded.conflicts}.union(*(n.keys for n in loaded.newer.values()))
    to_write = Unrecorded({key: rows for key, rows in missing.rows.items() if key not in left})
    if to_write.rows:
        if repair:
            notes += reconciling.record(store, table, to_write)
        else:
            notes.append(
                f"{len(to_write.rows):,} committed stages have no record in table {table!r}: "
                "shown is what their artifacts say"
            )
    content = loaded.content
    if missing.rows:
        content = pa.concat_tables(
            [content, loading.texts_once(table, _table(table, missing.rows))]
        )
        content = loading.in_order(table, content)
    return content, notes


def _newer(loaded: Loaded, missing: Unrecorded, keys: Callable[[], set[str]]) -> list[str]:
    """Sentences on files of a newer version all of whose stages another file or an artifact tells.

    Raises UnreadableRecords where one holds a stage that nothing else tells of.
    """
    known = keys() | missing.rows.keys() if loaded.newer else set()
    for one in loaded.newer.values():
        if not one.keys <= known:
            raise UnreadableRecords(one.said)
    return [f"{one.said}; shown is what the artifacts here say" for one in loaded.newer.values()]


def _table(table: str, rows: dict[str, list[dict[str, Any]]]) -> pyarrow.Table:
    gathered = fragments.Gathered(table)
    for given in rows.values():
        data = fragments.encode(table, given)
        gathered.add(fragments.decode(data, Path("record.json")))
    return gathered.take()


def _with_facts(training: pandas.DataFrame, runs: pandas.DataFrame) -> pandas.DataFrame:
    """Training curves with what their model is, which the run's own row says."""
    facts = runs.set_index("key")[list(FACTS)]
    return (
        training.join(facts, on="key")
        if len(training)
        else training.assign(**{name: facts[name].iloc[:0] for name in FACTS})
    )


FACTS = tuple(
    c.name
    for c in (*tables.MODEL, tables.RECIPE)
    if c.name not in {t.name for t in tables.TRAINING}
)


def columns_of(table: str) -> tuple[tables.Column, ...]:
    """The columns of a frame: those that are recorded, and a run's facts beside its curve."""
    if table != "training":
        return tables.TABLES[table]
    return (*tables.TRAINING, *(c for c in (*tables.MODEL, tables.RECIPE) if c.name in FACTS))


class OfColumns(dict[str, str]):
    """The description of columns, by name: not to be changed.

    pandas copies `attrs` deeply with each operation on a frame. These words are shared instead: the
    copies were a fifth of a report's time.
    """

    def __deepcopy__(self, _: Any) -> OfColumns:
        return self


def attributes(table: str) -> dict[str, Any]:
    """A frame's `attrs`: the meaning and unit of each column."""
    columns = columns_of(table)
    return {
        "table": table,
        "meaning": OfColumns({c.name: c.meaning for c in columns}),
        "unit": OfColumns({c.name: c.unit for c in columns if c.unit}),
    }


def _nullable(arrow_type: Any) -> Any:
    import pandas as pd

    return {
        "int64": pd.Int64Dtype(),
        "string": pd.StringDtype(),
        "dictionary<values=string, indices=int32, ordered=0>": pd.StringDtype(),
    }.get(str(arrow_type))
