"""The list of files that a stage read: kept in its artifact, compared with what lies there now.

    results/artifacts/KIND/KEY/files.parquet    role, path, bytes, modified_ns, sha256

One row per file. role: "data" (training images), "floor" (real images that are held out),
"autoencoder", "extractor", "statistics". path: below the place that the study names, as bytes
(names of other systems are no text), empty where the study names the file itself.

A key does not say what bytes lay under a data set's name. This list does. A look asks the file
system for sizes and times, once per file; contents are read only on request.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.store import files
from harness.store.artifacts import CorruptArtifact, Store

FILES = "files.parquet"
GONE = -1  # the size of a file that cannot be looked at
THREADS = 16  # that look at, or read, files on a disk that answers slowly
SLOW_S = 50e-6  # per file: a network's answer
BLOCK = 1 << 20


@dataclass(frozen=True)
class FileList:
    """The files of one role, sorted by path."""

    paths: list[bytes]
    sizes: np.ndarray  # (N,) int64, bytes
    times: np.ndarray  # (N,) int64, nanoseconds since 1970
    sha256: np.ndarray | None = None  # (N, 32) uint8; None: contents were not read

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def bytes(self) -> int:
        """Bytes of all files whose size is known."""
        return int(self.sizes[self.sizes > 0].sum())


@dataclass(frozen=True)
class Difference:
    """How files that are there now differ from those that were read."""

    added: Sequence[bytes] = ()
    removed: Sequence[bytes] = ()
    changed: Sequence[bytes] = ()  # of another size, or with other contents
    retimed: Sequence[bytes] = ()  # written at another time; the size is the same

    @property
    def other(self) -> bool:
        """Are they other files?"""
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        """ "2 files added (cat/9.png, dog/7.png), 1 changed (...)"."""
        said: list[str] = []
        for word in ("added", "removed", "changed"):
            names = getattr(self, word)
            if names:
                shown = ", ".join(map(printable, names[:3])) + (", ..." if len(names) > 3 else "")
                unit = "" if said else (" file" if len(names) == 1 else " files")
                said.append(f"{len(names):,}{unit} {word}" + (f" ({shown})" if shown else ""))
        return ", ".join(said)


def printable(path: bytes) -> str:
    """A path as text that any terminal can show."""
    return path.decode("utf-8", "backslashreplace") or "the file itself"


# --- looking --------------------------------------------------------------------------------------


def look(place: str | Path, files: Iterable[str | os.PathLike[str]]) -> FileList:
    """The files as they are now: one stat each. place: the file itself, or what they lie in."""
    return stated(place, named(place, files))


def named(place: str | Path, files: Iterable[str | os.PathLike[str]]) -> list[bytes]:
    """The files' paths below `place`, sorted."""
    top = os.fsencode(os.path.normpath(place))
    return sorted(_below(top, os.fsencode(each)) for each in files)


def stated(place: str | Path, paths: list[bytes]) -> FileList:
    """The same of files whose paths below `place` are known."""
    top = os.fsencode(os.path.normpath(place))
    about = np.array(_ordered(_stat, [_join(top, p) for p in paths]), dtype=np.int64)
    about = about.reshape(-1, 2)
    return FileList(paths, about[:, 0], about[:, 1])


def still_there(place: str | Path, kept: FileList) -> FileList:
    """Those of the kept files that are there, as they are now."""
    top = os.fsencode(os.path.normpath(place))
    return stated(place, [path for path in kept.paths if os.path.isfile(_join(top, path))])


def _below(top: bytes, path: bytes) -> bytes:
    if path.startswith(top + b"/"):
        return path[len(top) + 1 :]
    found = os.path.relpath(path, top)
    return b"" if found == b"." else found


def _join(top: bytes, path: bytes) -> bytes:
    return top + b"/" + path if path else top


def _stat(path: bytes) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return GONE, 0
    return found.st_size, found.st_mtime_ns


def _ordered(ask: Callable[[bytes], tuple[int, int]], paths: list[bytes]) -> list[tuple[int, int]]:
    """`ask` of each: by many threads where an answer takes long; one is faster where not."""
    began = time.monotonic()
    first = [ask(path) for path in paths[:256]]
    rest = paths[256:]
    if not rest or time.monotonic() - began < SLOW_S * len(first):
        return [*first, *map(ask, rest)]
    parts = [rest[start : start + 1024] for start in range(0, len(rest), 1024)]
    with ThreadPoolExecutor(THREADS) as pool:  # a future for each file would cost more than it
        found = pool.map(lambda part: [ask(path) for path in part], parts)
        return [*first, *(each for part in found for each in part)]


def compare(kept: FileList, now: FileList) -> Difference:
    """The differences between the files that were read and those that are there.

    Contents are compared where both lists have them; else names and sizes, and times, which prove
    little.
    """
    if kept.paths == now.paths:
        names, mine, theirs = kept.paths, slice(None), slice(None)
        added: list[bytes] = []
        removed: list[bytes] = []
    else:
        there = {path: i for i, path in enumerate(now.paths)}
        known = set(kept.paths)
        added = [path for path in now.paths if path not in known]
        removed = [path for path in kept.paths if path not in there]
        both = [i for i, path in enumerate(kept.paths) if path in there]
        names = [kept.paths[i] for i in both]
        mine = np.array(both, dtype=np.int64)  # type: ignore[assignment]
        theirs = np.array([there[n] for n in names], dtype=np.int64)  # type: ignore[assignment]
    other = kept.sizes[mine] != now.sizes[theirs]
    retimed = ~other & (kept.times[mine] != now.times[theirs])
    if kept.sha256 is not None and now.sha256 is not None:
        other |= (kept.sha256[mine] != now.sha256[theirs]).any(axis=1)
        retimed &= False  # the bytes are the same, whenever they were written

    def of(mask: np.ndarray) -> list[bytes]:
        return [names[i] for i in np.flatnonzero(mask)]

    return Difference(added, removed, of(other), of(retimed))


# --- contents -------------------------------------------------------------------------------------


def checksums(
    place: str | Path, paths: Sequence[bytes], progress: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """SHA-256 of each file, (N, 32) uint8; zeros for one that cannot be read.

    progress(done) is called now and then, and may raise.
    """
    top = os.fsencode(os.path.normpath(place))
    out = np.zeros((len(paths), 32), dtype=np.uint8)
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(paths), 1024):
            part = [_join(top, path) for path in paths[start : start + 1024]]
            for i, found in enumerate(pool.map(_checksum, part), start):
                out[i] = found
            progress(min(start + 1024, len(paths)))
    return out


def with_contents(
    place: str | Path, files: FileList, progress: Callable[[int], None] = lambda done: None
) -> FileList:
    """The same list with the files' checksums, which reads them all."""
    return replace(files, sha256=checksums(place, files.paths, progress))


def _checksum(path: bytes) -> np.ndarray:
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError:
        return np.zeros(32, dtype=np.uint8)
    return np.frombuffer(digest.digest(), dtype=np.uint8)


# --- keeping --------------------------------------------------------------------------------------


def write(path: Path, lists: Mapping[str, FileList]) -> None:
    """Write the lists of all roles as one compressed file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = []
    for role, of in sorted(lists.items()):
        digests = pa.nulls(len(of), pa.binary(32))
        if of.sha256 is not None:
            data = pa.py_buffer(np.ascontiguousarray(of.sha256).tobytes())
            digests = pa.Array.from_buffers(pa.binary(32), len(of), [None, data])
        parts.append(
            pa.table(
                {
                    "role": pa.array([role] * len(of), pa.string()),
                    "path": pa.array(of.paths, pa.binary()),
                    "bytes": pa.array(of.sizes, pa.int64()),
                    "modified_ns": pa.array(of.times, pa.int64()),
                    "sha256": digests,
                }
            )
        )
    if parts:
        whole = pa.concat_tables(parts).combine_chunks()
        pq.write_table(whole, path, compression="zstd", use_dictionary=["role"])


def check(store: Store, kind: str, key: str) -> None:
    """Raise CorruptArtifact where an artifact's list is not what its stage wrote.

    Asked for where a list differs from what is there, since damage may look like a difference.
    """
    try:
        manifest = store.manifest(kind, key)
    except CorruptArtifact:
        return  # nothing says what the list was; whoever reads the artifact reports it
    entry = None if manifest is None else manifest.files.get(FILES)
    path = store.folder(kind, key) / FILES
    try:
        sound = entry is None or files.sha256(path) == entry.sha256
    except OSError as error:
        raise CorruptArtifact(f"{path} cannot be read: {error.strerror}") from None
    if not sound:
        raise CorruptArtifact(f"{path} does not match its checksum")


def read(path: Path, contents: bool = False) -> dict[str, FileList]:
    """Role -> its files; {} where there is no such list. contents: with their checksums.

    Raises CorruptArtifact for a file that is damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if path.exists() and not path.is_file():  # Parquet would read all that lies in a folder
        raise CorruptArtifact(f"{path} is not a file")
    columns = ["role", "path", "bytes", "modified_ns", *(["sha256"] if contents else [])]
    try:
        table = pq.read_table(path, columns=columns)
    except FileNotFoundError:
        return {}
    except (pa.ArrowException, OSError, KeyError) as error:
        raise CorruptArtifact(f"{path} cannot be read: {error}") from None
    found = {}
    for role in table["role"].unique().to_pylist():
        part = table.filter(pc.equal(table["role"], role)).combine_chunks()
        digests = None
        if contents and not part["sha256"].null_count:
            raw = b"".join(part["sha256"].to_pylist())
            digests = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 32)
        found[str(role)] = FileList(
            part["path"].to_pylist(),
            part["bytes"].to_numpy(),
            part["modified_ns"].to_numpy(),
            digests,
        )
    return found
