"""The rows of a results folder as they stand there: recorded, or in artifacts alone."""

from __future__ import annotations

import contextlib
from typing import Any

from harness.store import records, tables
from harness.store.artifacts import CorruptArtifact, Store

Rows = list[dict[str, Any]]


def rows_of(store: Store, table: str) -> dict[str, Rows]:
    """Key -> its rows: what every reader is shown, and of a folder without records what its
    artifacts say. Values that are missing have no column."""
    import pandas

    out: dict[str, Rows] = {}
    if (store.root / "records").is_dir():
        frame = records.read_frames(store.root)[table]
        known = {column.name for column in tables.TABLES[table]}
        plain = frame[[c for c in frame.columns if c in known]].astype(object)
        for row in plain.to_dict("records"):
            kept = {str(c): _plain(v) for c, v in row.items() if not pandas.isna(v)}
            out.setdefault(kept["key"], []).append(kept)
    for kind in (k for k, its in records.TABLES_OF.items() if table in its):
        for key in store.committed([kind]) - out.keys():
            with contextlib.suppress(CorruptArtifact):
                if given := (store.rows(kind, key) or {}).get(table):
                    out[key] = given
    return out


def _plain(value: Any) -> Any:
    """A cell of a frame as JSON knows it."""
    return value.item() if hasattr(value, "item") else value
