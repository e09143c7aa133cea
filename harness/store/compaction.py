"""Compaction: many small record files become few Parquet files, in little memory.

The merged file is durable before any file it replaces is deleted. Rows are read and written some
20,000 at a time, and a file that has reached FULL rows is never read again: memory and time do not
grow with the records. One process at a time (the caller holds the claim "compaction").
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Collection
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.store import conflicts, files, fragments, tables
from harness.store.fragments import BATCH, COMPACT, Damaged, Rows, UnreadableRecords

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet as pq

FULL = 100_000  # rows
DAY = 24 * 3600.0

Watch = Callable[[str, dict[str, Any]], None]


def compact(root: Path, above: int = 64, watch: Watch = lambda event, content: None) -> int:
    """Merge each table's fragments when there are more than `above`. Returns how many files went.

    watch: is called for each table that has files to merge, with "compacting" (`table`, `files`:
    how many) before and "compacted" (`table`, `files`: how many went, `seconds`) after.

    Damaged files, and those that contradict each other, are left for `reconcile` and the reader;
    a table that holds files of a newer version is left as it is.
    Errors: DiskFull, NotWritable; nothing is lost by them.
    """
    return sum(_compact(Path(root), table, above, watch) for table in tables.TABLES)


def _compact(root: Path, table: str, above: int, watch: Watch = lambda event, content: None) -> int:
    single, compacted = fragments.listing(root, table)
    count = sum(map(len, single.values()))
    for left in fragments.folder(root, table).glob(f"_{COMPACT}.*"):  # of a process that was killed
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > DAY:
                left.unlink()
    if count <= above and len(compacted) < 2:
        return 0
    try:
        small = [path for path in compacted if _rows(path) < FULL]
        if count <= above and len(small) < 2:
            return 0
    except (FileNotFoundError, UnreadableRecords):
        return 0  # another process merged them, or can: that of a newer version
    began, went = time.monotonic(), 0
    watch("compacting", {"table": table, "files": count + len(small)})
    with contextlib.suppress(FileNotFoundError, UnreadableRecords):  # the same
        went = _merge(root, table, single, compacted, small)
    seconds = round(time.monotonic() - began, 3)
    watch("compacted", {"table": table, "files": went, "seconds": seconds})
    return went


def take_out(root: Path, keys: Collection[str], away: Path) -> None:
    """Move the rows of `keys` from the records to those of the results folder `away`.

    A file that also holds other keys' rows is first written again without these, durably. Errors:
    DiskFull, NotWritable, UnreadableRecords for files that cannot be read.
    """
    for table in tables.TABLES:
        single, compacted = fragments.listing(root, table)
        there = fragments.folder(away, table)
        for path in compacted:
            try:
                inside = fragments.keys_in(path) & set(keys)
                for key in inside:
                    data = fragments.encode(table, _rows_of(table, path, key))
                    files.write_atomic(there / fragments.name_of(key, data), data)
                if inside:
                    out = _Output(root, table)
                    try:
                        _copy(out, table, path, {key: [path] for key in inside})
                        out.publish()
                    finally:
                        out.aside.unlink(missing_ok=True)
            except Damaged as error:
                raise UnreadableRecords(
                    f"{path} {error}: the `run` command of its study moves it away; then again"
                ) from None
        for key in single.keys() & set(keys):
            for path in single[key]:
                files.make_folder(there)
                with files.explained(path):
                    files.step("move", path)
                    os.replace(path, there / path.name)


def _rows(path: Path) -> int:
    """How many rows a compacted file holds. FULL for a damaged one, so that it is not merged."""
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        fragments.refuse_newer(file, path)
        return int(file.metadata.num_rows)
    except (FileNotFoundError, UnreadableRecords):
        raise
    except Exception:  # whatever Arrow says of bytes that are no Parquet
        return FULL


def _merge(
    root: Path,
    table: str,
    single: dict[str, list[Path]],
    compacted: list[Path],
    small: list[Path],
) -> int:
    holders: dict[str, list[Path]] = {key: list(paths) for key, paths in single.items()}
    for path in compacted:
        try:
            for key in fragments.keys_in(path):  # the list beside it may be damaged
                holders.setdefault(key, []).append(path)
        except Damaged:
            small = [p for p in small if p != path]
    repeated = {key: paths for key, paths in holders.items() if len(paths) > 1}
    out = _Output(root, table)
    try:
        for key, paths in repeated.items():  # first: before any file that holds one goes
            _settle(out, root, table, key, paths, set(small))
        for path in small:
            with contextlib.suppress(Damaged):
                _copy(out, table, path, repeated)
        alone = (paths[0] for key, paths in single.items() if key not in repeated)
        for batch in fragments.batches(table, alone):
            for error in batch.newer.values():
                raise error
            out.add(batch.content, batch.paths)
        out.publish()
    finally:
        out.aside.unlink(missing_ok=True)
    return out.deleted


def _copy(out: _Output, table: str, path: Path, without: dict[str, list[Path]]) -> None:
    """A compacted file's rows, a row group at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    data = fragments.checked(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        fragments.refuse_newer(file, path)
        groups = file.num_row_groups
        for number in range(groups):
            part = fragments.aligned(table, file.read_row_group(number))
            if without:
                gone = pc.is_in(part["key"], pa.array(list(without), pa.string()))
                part = part.filter(pc.invert(gone))
            out.add(part, [path] if number == groups - 1 else [])
    except (pa.ArrowException, OSError) as error:
        raise Damaged(f"cannot be read ({error})") from None


def _settle(
    out: _Output, root: Path, table: str, key: str, paths: list[Path], merged: set[Path]
) -> None:
    """A key that several files hold: once, if they agree; else each as a fragment of its own.

    merged: the compacted files that are about to be deleted.
    """
    versions: dict[Path, Rows] = {}
    for path in paths:
        try:
            rows = _rows_of(table, path, key)
        except Damaged:
            continue
        if rows:  # a damaged list of keys may name what is not there
            versions[path] = rows
    if not versions:
        return
    union = conflicts.united(table, versions.values())
    stays = [path for path in versions if _is_compact(path) and path not in merged]
    whole = [path for path in stays if not conflicts.lacks(table, versions[path], union)]
    agree = not any(
        conflicts.contradiction(table, one, other)
        for one, other in combinations(versions.values(), 2)
    )
    if not agree or (stays and not whole):  # a full file lacks a row: the reader unites them
        for path in merged & versions.keys():
            data = fragments.encode(table, versions[path])
            there = fragments.folder(root, table)
            files.write_atomic(there / fragments.name_of(key, data), data)
        return
    fragments_of = [path for path in versions if not _is_compact(path)]
    if whole:  # it has them already
        out.add(fragments.schema(table).empty_table(), fragments_of)
        return
    gathered = fragments.Gathered(table)
    gathered.add(fragments.decode(fragments.encode(table, union), paths[0]))
    out.add(gathered.take(), fragments_of)


def _is_compact(path: Path) -> bool:
    return path.name.startswith(f"{COMPACT}.")


def _rows_of(table: str, path: Path, key: str) -> Rows:
    import pyarrow.compute as pc

    if not _is_compact(path):
        found: Rows = []
        for batch in fragments.batches(table, [path]):
            for error in batch.newer.values():
                raise error
            found += batch.content.to_pylist()
        return found
    part = fragments.parquet(table, fragments.checked(path), path)
    return part.filter(pc.equal(part["key"], key)).to_pylist()  # type: ignore[no-any-return]


class _Output:
    """Compacted files being written: each published once it is FULL, then what it replaces goes."""

    def __init__(self, root: Path, table: str) -> None:
        self.folder = fragments.folder(root, table)
        self.schema = fragments.schema(table)
        self.deleted = 0
        self._begin()

    def _begin(self) -> None:
        self.aside = self.folder / f"_{COMPACT}.{uuid.uuid4().hex[:8]}"
        self.writer: pq.ParquetWriter | None = None
        self.rows = 0
        self.keys: set[str] = set()
        self.replaced: list[Path] = []
        self.waiting: list[pyarrow.Table] = []

    def add(self, part: pyarrow.Table, replaced: list[Path]) -> None:
        """Rows, and the files that are all in once these are."""
        self.rows += len(part)
        self.keys.update(part["key"].unique().to_pylist())
        self.replaced += replaced
        self.waiting.append(part)
        if sum(map(len, self.waiting)) >= BATCH or len(self.waiting) >= 512:
            self._write()
        if self.rows >= FULL:
            self.publish()

    def _write(self) -> None:
        """One row group."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        content = pa.concat_tables(self.waiting).combine_chunks()
        self.waiting = []
        if not len(content):
            return
        with files.explained(self.aside):
            if self.writer is None:
                files.step("write", self.aside)
                self.writer = pq.ParquetWriter(
                    self.aside, self.schema, compression="zstd", write_page_checksum=True
                )
            self.writer.write_table(content)

    def publish(self) -> None:
        """Make what was added durable, then delete what it replaces."""
        if self.waiting:
            self._write()
        new: Path | None = None
        if self.writer is not None:
            with files.explained(self.aside):
                self.writer.close()
                new = self.folder / f"{COMPACT}.{files.sha256(self.aside)[:16]}.parquet"
            keys = "".join(f"{key}\n" for key in sorted(self.keys))
            files.write_atomic(new.with_suffix(".keys"), keys.encode())
            files.publish(self.aside, new)
        for path in self.replaced:
            if path != new:
                with files.explained(path):
                    files.step("delete", path)
                    path.unlink(missing_ok=True)
                    if _is_compact(path):
                        path.with_suffix(".keys").unlink(missing_ok=True)
                self.deleted += 1
        self._begin()
