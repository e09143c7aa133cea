"""Artifacts and their commit protocol.

    results/artifacts/KIND/KEY/      files, record.json, manifest.json    committed, never changed
    results/scratch/KEY/             a stage's own progress (checkpoints)  survives attempts
    results/staging/KEY.ATTEMPT/     files being written                   swept when stale

A stage writes its files aside; `commit` syncs them, writes a manifest with sizes and checksums, and
renames the folder to its key. The rename is the commit: it either happened or it did not, and it
fails if somebody else's happened first, in which case theirs stays. A committed folder whose files
do not match its manifest is moved to results/quarantine/ and its stage is offered again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import HarnessError
from harness.store import codec, files, tables
from harness.store.codec import (
    CorruptArtifact,
    FileEntry,
    Manifest,
    UnreadableArtifact,
    UnreadableResult,
)
from harness.version import __version__

__all__ = ["Artifact", "CorruptArtifact", "Rows", "Store", "UnreadableArtifact"]

MANIFEST = "manifest.json"
RECORD = "record.json"
DEAR = ("train", "encode")  # kinds whose files are kept even if their rows are damaged
# By kind, what is kept beside what a stage is for: features for metrics that are asked for later,
# the list of the files that it was made of, the state from which a longer training goes on. Their
# loss takes nothing from the stage.
LIST = ("files.parquet",)
STATE = ("state.safetensors",)
SPARE = {"evaluate": ("features.npz",), "encode": LIST, "reference": LIST}
SPARE |= {"floor": LIST, "ceiling": LIST, "train": STATE}
DAY = 24 * 3600.0
Rows = dict[str, list[dict[str, Any]]]
R = TypeVar("R")


@dataclass(frozen=True)
class Artifact:
    """A committed output: a folder, its manifest, and the rows it contributed."""

    kind: str
    key: str
    folder: Path
    manifest: Manifest

    def result(self, kind: type[R]) -> R:
        """The result that its stage left, of the kind's class in harness.store.results.

        Raises UnreadableResult, which says what version wrote it.
        """
        return codec.result(self.manifest, kind)

    def file(self, name: str) -> Path:
        """Path of one of its files."""
        if name not in self.manifest.files:
            raise CorruptArtifact(f"{self.folder} has no file {name!r}")
        return self.folder / name

    def rows(self) -> Rows:
        """The rows of each table. Raises CorruptArtifact, UnreadableResult for newer rows."""
        return _read_rows(self.folder, self.manifest)


def _read_rows(folder: Path, manifest: Manifest) -> Rows:
    path = folder / RECORD
    try:
        data = files.read_bytes(path)
    except OSError as error:
        raise _unread(path, error) from None
    entry = manifest.files.get(RECORD)
    if entry is None or files.digest(data) != entry.sha256:
        raise CorruptArtifact(f"{path} does not match its checksum")
    rows: Rows = json.loads(data)
    unknown = [name for table, given in rows.items() for name in tables.unknown(table, given)]
    if unknown:
        names = ", ".join(unknown)
        raise UnreadableResult(
            f"{path} was written by {manifest.version} and has columns that {__version__} does not "
            f"know ({names}): it says more of a number than is read here; update the code"
        )
    return rows


def _unread(path: Path, error: OSError) -> CorruptArtifact:
    """The error for a file that cannot be read: a folder in its place, or nothing, is damage."""
    if isinstance(error, (IsADirectoryError, FileNotFoundError, NotADirectoryError)):
        return CorruptArtifact(f"{path} is not a file")
    return UnreadableArtifact(f"{path} cannot be read: {error.strerror}")


def _check_file(path: Path, entry: FileEntry, verify: bool) -> None:
    """Raises CorruptArtifact where a file is not what the manifest says."""
    try:
        found = path.stat()
    except OSError as error:
        if files.gone(path):
            raise CorruptArtifact(f"{path} is missing") from None
        raise _unread(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise CorruptArtifact(f"{path} is not a file")
    if found.st_size != entry.bytes:
        raise CorruptArtifact(
            f"{path} has {found.st_size:,} bytes, its manifest says {entry.bytes:,}"
        )
    try:
        sound = not verify or files.sha256(path) == entry.sha256
    except OSError as error:
        raise _unread(path, error) from None
    if not sound:
        raise CorruptArtifact(f"{path} does not match its checksum")


def _manifest_bytes(path: Path) -> bytes | None:
    """A manifest's bytes; None without its folder. Raises CorruptArtifact for a folder without it.

    It is looked for twice: a folder comes with its manifest in it, and may come, or be shown by a
    network disk, between a look for the one and a look for the other.
    """
    for _ in range(2):
        try:
            return files.read_bytes(path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise _unread(path, error) from None
        try:
            path.parent.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unread(path, error) from None
    raise CorruptArtifact(f"{path.parent} has no manifest")


class Store:
    """A results folder."""

    def __init__(self, root: str | Path = "results") -> None:
        self.root = Path(root)

    def folder(self, kind: str, key: str) -> Path:
        """Where the artifact of this key lies, or will."""
        return self.root / "artifacts" / kind / key

    def scratch(self, key: str) -> Path:
        """Where a stage keeps its own progress between attempts (created)."""
        path = self.root / "scratch" / key
        files.make_folder(path)
        return path

    def in_progress(self, key: str) -> bool:
        """Has an earlier attempt left progress?"""
        return any((self.root / "scratch" / key).glob("*"))

    def check_writable(self) -> None:
        """Raise NotWritable or DiskFull before any work is started."""
        files.make_folder(self.root)
        probe = self.root / f"_probe.{uuid.uuid4().hex[:8]}"
        if not os.access(self.root, os.W_OK):
            raise files.NotWritable(
                f"you may not write in {self.root}: `status`, `results` and `report` work without; "
                "--results gives another folder"
            )
        files.write_atomic(probe, b"ok")
        probe.unlink()

    # --- reading --------------------------------------------------------------------------------

    def committed(self, kinds: Iterable[str]) -> set[str]:
        """Keys with a committed folder. One directory listing per kind; contents not checked."""
        found: set[str] = set()
        for kind in kinds:
            folder = self.root / "artifacts" / kind
            try:
                files.step("list", folder)
                found.update(e.name for e in os.scandir(folder) if e.name[0] != "_")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise files.NotReadable(f"cannot read {folder}: {error.strerror}") from None
        return found

    def look_anew(self, kind: str) -> None:
        """Make a network disk show which artifacts of a kind are there now.

        Its client may show names that are up to a minute old, except in a folder that it has just
        changed itself.
        """
        folder = self.root / "artifacts" / kind
        files.make_folder(folder)
        probe = folder / f"_now.{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(OSError):
            probe.touch()
            probe.unlink()

    def manifest(self, kind: str, key: str) -> Manifest | None:
        """The manifest, or None when nothing is committed. Raises CorruptArtifact if unreadable."""
        path = self.folder(kind, key) / MANIFEST
        content = _manifest_bytes(path)
        if content is None:
            return None
        try:
            data = json.loads(content)
        except ValueError as error:
            raise CorruptArtifact(f"{path} cannot be read: {error}") from None
        return codec.read(data, kind, key, path)

    def rows(self, kind: str, key: str) -> Rows | None:
        """The rows of a committed artifact, whatever the state of its other files; None without
        one.

        Errors: CorruptArtifact naming the file, UnreadableResult for rows of a newer version.
        """
        manifest = self.manifest(kind, key)
        return None if manifest is None else _read_rows(self.folder(kind, key), manifest)

    def open(
        self, kind: str, key: str, verify: bool = True, spare: bool = False
    ) -> Artifact | None:
        """A committed artifact, or None. Sizes are always checked, checksums with `verify`.

        The rows of what took long to make are not checked here, `rows` does: weeks of training are
        not thrown away for a byte of a record that was written elsewhere too. Nor, without `spare`,
        is what stands beside the rest (SPARE).
        Errors: CorruptArtifact naming the file.
        """
        manifest = self.manifest(kind, key)
        if manifest is None:
            return None
        folder = self.folder(kind, key)
        for name, entry in manifest.files.items():
            if name in SPARE.get(kind, ()) and not spare:
                continue
            if name != RECORD or kind not in DEAR:
                _check_file(folder / name, entry, verify or name == RECORD)
        return Artifact(kind, key, folder, manifest)

    def size(self, kind: str, key: str, name: str) -> int | None:
        """Bytes of a file of an artifact; None where there is no such file."""
        with contextlib.suppress(OSError):
            found = (self.folder(kind, key) / name).stat()
            return found.st_size if stat.S_ISREG(found.st_mode) else None
        return None

    # --- writing --------------------------------------------------------------------------------

    def staging(self, key: str) -> Path:
        """A new folder for one attempt's files."""
        path = self.root / "staging" / f"{key}.{uuid.uuid4().hex[:12]}"
        files.make_folder(path)
        return path

    def commit(
        self,
        kind: str,
        key: str,
        staging: Path,
        rows: Rows,
        facts: Mapping[str, Any],
        about: Mapping[str, Any],
    ) -> bool:
        """Commit `staging` under `key`. True if ours stands, False if another valid one did first.

        `rows` are the records; `facts` the stage's result as `codec.told` writes it; `about` what
        else the manifest keeps (settings, inputs, label, provenance, measured).
        """
        try:
            files.step("write", staging / RECORD)
            (staging / RECORD).write_text(json.dumps(rows, sort_keys=True, allow_nan=False))
            entries = {}
            for path in sorted(p for p in staging.rglob("*") if p.is_file()):
                files.sync_file(path)
                entries[path.relative_to(staging).as_posix()] = FileEntry(
                    path.stat().st_size, files.sha256(path)
                )
            tables = {table: len(r) for table, r in rows.items() if r}
            manifest = codec.written(kind, key, entries, facts, tables, about)
            files.write_json(staging / MANIFEST, manifest)
            target = self.folder(kind, key)
            files.make_folder(target.parent)
            ours = self._rename(kind, key, staging, target)
        except OSError as error:
            raise files.explain(error, staging) from error
        if not ours:
            shutil.rmtree(staging, ignore_errors=True)
        return ours

    def _rename(self, kind: str, key: str, staging: Path, target: Path) -> bool:
        for _ in range(3):
            try:
                files.step("commit", target)
                os.rename(staging, target)  # fails on a folder that is there and not empty
                files.sync_folder(target.parent)
                return True
            except OSError:
                if files.gone(staging):  # it happened: a network disk lost the answer
                    return True
                if files.gone(target):
                    raise
            try:
                if self.open(kind, key) is not None:
                    return False
            except UnreadableArtifact:
                raise
            except CorruptArtifact:
                self.quarantine(kind, key)
        raise HarnessError(f"cannot commit {target}: it keeps reappearing")

    def quarantine(self, kind: str, key: str) -> Path:
        """Move a corrupt artifact out of the way; its stage is then missing again."""
        aside = self.root / "quarantine" / f"{kind}-{key}.{uuid.uuid4().hex[:8]}"
        files.make_folder(aside.parent)
        with files.explained(aside), contextlib.suppress(FileNotFoundError):
            os.rename(self.folder(kind, key), aside)
        return aside

    def set_aside(self, kind: str, key: str) -> list[str]:
        """Move an artifact's damaged spare files (SPARE) to quarantine/; the stage stays done.

        Returns sentences. One that cannot be read now is left where it is.
        """
        manifest = self.manifest(kind, key)
        said = []
        for name in SPARE.get(kind, ()) if manifest is not None else ():
            path = self.folder(kind, key) / name
            try:
                if manifest is not None and name in manifest.files:
                    _check_file(path, manifest.files[name], verify=True)
            except UnreadableArtifact:
                continue
            except CorruptArtifact as error:
                aside = self.root / "quarantine" / f"{kind}-{key}.{uuid.uuid4().hex[:8]}.{name}"
                files.make_folder(aside.parent)
                with files.explained(aside), contextlib.suppress(FileNotFoundError):
                    os.rename(path, aside)
                said.append(f"{error}; moved to {aside}, its numbers stay")
        return said

    def sweep(self, older_than_s: float = DAY, abandoned_s: float = 60 * DAY) -> None:
        """Delete staging folders that no living attempt can own any more.

        An attempt makes its folder when it begins and fills it when it ends, perhaps weeks later:
        only once another's output stands is an old folder known to be of no use.
        """
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.root / "staging"):
                with contextlib.suppress(FileNotFoundError):  # its attempt ended just now
                    age = time.time() - entry.stat().st_mtime
                    done = any((self.root / "artifacts").glob(f"*/{entry.name.partition('.')[0]}"))
                    if age > (older_than_s if done else abandoned_s):
                        shutil.rmtree(entry.path, ignore_errors=True)
