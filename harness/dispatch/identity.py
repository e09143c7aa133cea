"""Are the files that a study names those that its results were made of?

A key holds the names of data and weights, not their bytes. Stages keep a list of the files that
they read; here it is compared with what lies there now: names and sizes decide, times are noted.
One stat per file. `run` looks at every file. Who only looks (`plan`, `status`) looks at every file
of a small tree; of a large one at every folder's time and at some files, drawn at random, as long
as the last look at all files is recent and no folder has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput, HarnessError, Missing
from harness.plan import reads
from harness.plan.plan import Plan, Stage
from harness.plan.stages import Place
from harness.spec.study import Study
from harness.store import codec
from harness.store import files as durable
from harness.store.artifacts import CorruptArtifact, Store

if TYPE_CHECKING:
    from harness.store.file_lists import FileList

FILES = "files.parquet"  # as harness.store.file_lists, which wants numpy
LARGE = 20_000  # files that are looked at each time
DRAWN = 2_000  # files of a larger tree that are, beside its folders
YOUNG_S = 3600.0  # how long a look at a larger tree counts


@dataclass
class Looked:
    """The findings, as sentences."""

    changed: list[str] = field(default_factory=list)  # `run` refuses
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Read:
    """The files of one role that a committed stage read."""

    stage: Stage
    role: str
    place: Place
    source: Any  # the data source that the study names
    kept: Path  # the list

    @property
    def path(self) -> str:
        """Where the files lie, as the study says."""
        return str(reads.where(self.role, self.place))


def look(plan: Plan, stages: Iterable[Stage], store: Store, *, every: bool = False) -> Looked:
    """Compare the files of all committed stages. every: look at each file, however many there are.

    Changes nothing but what is kept of a look (results/indexes).
    """
    found = Looked()
    seen: dict[tuple[Any, ...], Any] = {}
    for read in committed(plan, stages, store):
        if not os.path.exists(read.path):
            continue  # not visible from here; `absent` says so
        try:
            if read.kept.exists():
                told = _compared(read, store, every, seen)
            else:
                told = _unknown(read, store, seen)
        except CorruptArtifact as error:
            told = {**_unknown(read, store, seen), "note": _incomparable(read, error)}
        except (HarnessError, OSError) as error:
            told = {"note": _incomparable(read, error)}
        if "changed" in told:
            found.changed.append(_refusal(plan.study, read, told["changed"]))
        if "note" in told:
            found.notes.append(told["note"])
    found.notes = list(dict.fromkeys(found.notes))
    return found


def committed(plan: Plan, stages: Iterable[Stage], store: Store) -> Iterator[Read]:
    """Files from outside that committed ones of `stages` read, where the study still names them."""
    mine = [s for s in stages if s.kind in reads.OF_KIND]
    here = store.committed({s.kind for s in mine})
    for stage in mine:
        if stage.key in here:
            place = plan.task(stage).place
            run = plan.study.runs[stage.run or 0]
            kept = store.folder(stage.kind, stage.key) / FILES
            for role in reads.OF_KIND[stage.kind]:
                of_images = role in reads.SPLITS
                source: Any = run.data.source
                if reads.where(role, place) is not None and not (of_images and source.made):
                    yield Read(stage, role, place, source, kept)


def absent(study: Study, said: Iterable[str] = ()) -> list[str]:
    """Paths of the study that are not there, though nothing may need them today, as sentences.

    said: what was reported already; a path that is named there is not reported again.
    """
    told = " ".join(said)
    found = []
    paths: list[tuple[str, str | None]] = []
    for run in study.runs:
        if not run.data.source.made:  # type: ignore[union-attr]
            paths.append((f"data.path (the images of {run.data.name!r})", run.data.path))
            if isinstance(run.data.held_out, str):
                paths.append((f"data.held_out (of {run.data.name!r})", run.data.held_out))
        paths.append(("autoencoder.weights", run.autoencoder.weights))
    for said_at, reference in study.references.items():
        paths.append((f"{said_at}.extractor_weights", reference.extractor_weights))
        paths.append((f"{said_at}.statistics", reference.statistics))
    for name, path in dict.fromkeys(paths):
        if path is not None and path not in told and not os.path.exists(path):
            found.append(f"{name}: {path} is not there; nothing that is to do today needs it")
    return found


# --- comparing ------------------------------------------------------------------------------------


def _compared(read: Read, store: Store, every: bool, seen: dict[Any, Any]) -> dict[str, str]:
    """{"changed": words} or {"note": words} or neither."""
    cache = _Cache(store, read)
    if not every and (before := cache.still()) is not None:
        return before
    from harness.store import file_lists

    kept = _list(read.kept, seen).get(read.role)
    if kept is None:
        return {}
    now = now_there(read, seen, kept)
    difference = file_lists.compare(kept, now)
    told: dict[str, str] = {}
    if difference.other or difference.retimed:
        file_lists.check(store, read.stage.kind, read.stage.key)
    if difference.other:
        told["changed"] = str(difference)
    elif difference.retimed and not cache.verified(now):
        told["note"] = (
            f"{read.path}: {len(difference.retimed):,} of {len(now):,} files were written at "
            f"another time than those that {read.stage.label} was made of; names and sizes are the "
            "same (`fingerprint --contents` compares their bytes)"
        )
    if len(now) > LARGE:
        cache.keep(now, told)
    return told


def now_there(read: Read, seen: dict[Any, Any], kept: FileList) -> FileList:
    """The files as they are now. seen: what was looked at before, of this look.

    Where the source does not find its layout any more, because files of it were renamed or removed:
    those of the `kept` ones that are still there. Raises Missing or BadInput, the source's, where
    all of them are.
    """
    from harness.store import file_lists

    try:
        return _listed(read, seen)
    except (Missing, BadInput):
        left = file_lists.still_there(read.path, kept)
        if len(left) == len(kept):
            raise
        return left


def _listed(read: Read, seen: dict[Any, Any]) -> FileList:
    from harness.store import file_lists

    split = reads.SPLITS.get(read.role)
    what = ("now", read.path, split, None if split is None else id(read.source))
    if what not in seen:
        listed = reads.files_of(read.role, read.place, read.source)
        seen[what] = file_lists.look(read.path, listed)
    return seen[what]  # type: ignore[no-any-return]


def _list(path: Path, seen: dict[Any, Any], contents: bool = False) -> dict[str, FileList]:
    from harness.store import file_lists

    if (path, contents) not in seen:
        seen[path, contents] = file_lists.read(path, contents)
    return seen[path, contents]  # type: ignore[no-any-return]


def _unknown(read: Read, store: Store, seen: dict[Any, Any]) -> dict[str, str]:
    """Changes since an artifact without a list: by its images' fingerprint, if that is cheap."""
    from harness.store.results import EncodeResult

    try:
        manifest = store.manifest(read.stage.kind, read.stage.key)
        if read.role != "data" or read.stage.kind != "encode":
            lost = manifest is not None and FILES in manifest.files
            return {"note": _lost(read)} if lost else {}
        before = None if manifest is None else codec.result(manifest, EncodeResult).fingerprint
    except CorruptArtifact:
        return {}
    if before is None:
        return {}
    what = ("fingerprint", read.path, id(read.source))
    if what not in seen:
        seen[what] = read.source.quick_fingerprint(read.path)
    return {"changed": "changed, details unknown"} if seen[what] not in (None, before) else {}


def _incomparable(read: Read, error: Exception) -> str:
    return f"{read.path} cannot be compared with what was read: {error}"


def _lost(read: Read) -> str:
    return (
        f"{read.kept} is missing: whether {read.path} has changed since {read.stage.label} read it "
        "is not known"
    )


def _refusal(study: Study, read: Read, words: str) -> str:
    """Sentences on what has changed, and on what can be done."""
    path_field, key_field = reads.FIELDS[read.role]
    name = study.runs[read.stage.run or 0].data.name
    what = {
        "data": f"images of {name!r}",
        "floor": f"held-out images of {name!r}",
        "autoencoder": "autoencoder's weights",
        "extractor": "extractor's weights",
        "statistics": "reference statistics",
    }[read.role]
    other = "give these another data.name, " if read.role in reads.SPLITS else ""
    return (
        f"{path_field}: the {what} at {read.path} are not those that {read.stage.label} was made "
        f"of: {words}. Put the old ones back; or {other}write their identity into the study "
        f"({key_field}; `fingerprint` prints it); or let go of what was made of the old ones "
        f"(`forget {study.path} {read.stage.key[:12]}`)"
    )


# --- what was seen before -------------------------------------------------------------------------


class _Cache:
    """Notes of looks at one role's files. Advisory: without them, everything is looked at."""

    def __init__(self, store: Store, read: Read) -> None:
        name = f"{read.stage.key[:16]}-{read.role}.json"
        self.looked = store.root / "indexes" / f"looked-{name}"
        self.bytes = store.root / "indexes" / f"verified-{name}"
        self.top = os.path.realpath(read.path)
        self.kept = read.kept

    def still(self) -> dict[str, str] | None:
        """The result of the look before, if it still counts; else None."""
        content = _json(self.looked)
        with contextlib.suppress(KeyError, TypeError, ValueError, OSError):
            told: dict[str, str] = content["told"]
            if (
                content["top"] == self.top
                and content["list"] == list(_time(self.kept))
                and 0 <= time.time() - content["when"] < YOUNG_S
                and all(list(_time(os.path.join(self.top, p))) == t for p, t in content["seen"])
            ):
                return told
        return None

    def keep(self, now: FileList, told: dict[str, str]) -> None:
        """Note a look at a large tree: every folder's time, and sizes and times of some files."""
        folders = {os.path.dirname(path) for path in now.paths} | {b""}
        for folder in list(folders):
            while folder:
                folder = os.path.dirname(folder)
                folders.add(folder)
        drawn = random.sample(now.paths, min(DRAWN, len(now)))
        names = [os.fsdecode(path) for path in [*sorted(folders), *drawn]]
        content = {
            "top": self.top,
            "list": _time(self.kept),
            "when": time.time(),
            "seen": [(name, _time(os.path.join(self.top, name))) for name in names],
            "told": told,
        }
        with contextlib.suppress(HarnessError):
            durable.write_atomic(self.looked, json.dumps(content).encode())

    def verified(self, now: FileList) -> bool:
        """Were the bytes of just these files, as they were written, found to be the same?"""
        return bool(_json(self.bytes).get("state") == _state(now))

    def verify(self, now: FileList) -> None:
        with contextlib.suppress(HarnessError):
            durable.write_atomic(self.bytes, json.dumps({"state": _state(now)}).encode())


def verified(store: Store, read: Read, now: FileList) -> None:
    """Remember that the bytes of these files are those that were read, whenever written."""
    _Cache(store, read).verify(now)


def _state(now: FileList) -> str:
    digest = hashlib.sha256(b"\0".join(now.paths))
    digest.update(now.sizes.tobytes())
    digest.update(now.times.tobytes())
    return digest.hexdigest()


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _time(path: str | Path) -> tuple[int, int]:
    """Size and time of a file; of a folder its time (its size is the file system's own)."""
    try:
        about = os.stat(path)
    except OSError:
        return -1, 0
    return (0 if os.path.isdir(path) else about.st_size), about.st_mtime_ns
