"""A study's artifacts and numbers as one file: for another lab, or a paper's supplement.

    archive.json        format, study, profile, what made it, and every file's SHA-256
    study.yaml          the study as it was run
    results/            records, and what the study calls its stages; unless it is light, artifacts
                        with their attempts and logs

A tar file. Names of users and machines' clocks are left out of its headers. On arrival every file
is checked against archive.json before anything is taken, and the rest is a merge.
"""

from __future__ import annotations

import contextlib
import glob
import io
import json
import lzma
import os
import re
import shutil
import tarfile
import tempfile
import uuid
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.errors import BadInput
from harness.store import environments, files, records, studies, tables
from harness.store.artifacts import CorruptArtifact, Store
from harness.store.studies import Index
from harness.upkeep import abandoned
from harness.upkeep.merging import PRUNED, Merged, merge
from harness.upkeep.rows import rows_of
from harness.version import __version__

ABOUT, STUDY, RESULTS = "archive.json", "study.yaml", "results"
FORMAT = 1
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{,79}"  # harness.spec.base.Name, and a test holds them
DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)  # what tarfile raises of it


@dataclass(frozen=True)
class Written:
    """An archive that was written, and what could not go into it."""

    path: Path
    stages: int
    damaged: tuple[str, ...]  # artifacts that stayed behind, and why
    recorded: int = 0  # stages whose numbers alone went in, as the records have them


def is_archive(path: Path) -> bool:
    """Is it a file that `write` made? Only its beginning is read."""
    with contextlib.suppress(OSError, *DAMAGED), tarfile.open(path) as tar:
        first = tar.next()
        return first is not None and first.name == ABOUT
    return False


def write(
    store: Store,
    stages: Iterable[tuple[str, str]],
    path: Path,
    *,
    study: Path,
    index: Index,
    light: bool = False,
) -> Written:
    """Write the committed ones of `stages`, (kind, key) each, into a tar file at `path`.

    study: the YAML file; index: what it calls its stages. light: numbers alone. A path that ends in
    gz is compressed. Damaged artifacts are left out and named; what the records say of them, and of
    those that are not there any more, goes in. Component files that the study lists do not: they
    are code, and an archive is data.
    Raises BadInput when nothing of the study is committed, or `path` is there already.
    """
    if path.exists():
        raise BadInput(f"{path} is there already: give another name, or move it away")
    with tempfile.TemporaryDirectory() as folder:
        content: dict[str, Path] = {STUDY: study}
        lists = environments.places(store.root)
        content |= {_name(place, store.root): place for place in lists}
        damaged, count, lacking = [], 0, list[tuple[str, str]]()
        for kind, key in stages:
            try:
                places = [] if light else _places(store, kind, key)
                if not _rows(store, kind, key, Path(folder)):
                    lacking.append((kind, key))
                    continue
                count += 1
                content |= {_name(place, store.root): place for place in places}
            except CorruptArtifact as error:
                damaged.append(str(error))
                lacking.append((kind, key))
        alone = _recorded(store, lacking, Path(folder))
        if not count + alone:
            raise BadInput(f"nothing of the study is committed in {store.root}: run it first")
        studies.write(Path(folder), index)
        written = (p for p in sorted(Path(folder).rglob("*")) if p.is_file())
        content |= {_name(place, Path(folder)): place for place in written}
        sums = {name: files.sha256(place) for name, place in content.items()}
        head = {
            "format": FORMAT,
            "harness": __version__,
            "light": light,
            "study": index.study,
            "profile": index.profile,
            "overrides": list(index.overrides),
            "stages": len(index.stages),
            "files": sums,
        }
        _tar(path, json.dumps(head, indent=1, sort_keys=True).encode(), content)
    return Written(path, count, tuple(damaged), alone)


def _name(place: Path, root: Path) -> str:
    return f"{RESULTS}/{place.relative_to(root).as_posix()}"


def _rows(store: Store, kind: str, key: str, folder: Path) -> bool:
    """Write a stage's rows as records of `folder`. Is it committed?"""
    tables = store.rows(kind, key)  # raises CorruptArtifact
    if tables is None:
        return False
    for table, rows in tables.items():
        if rows:
            records.write(folder, table, key, rows)
    return True


def _recorded(store: Store, stages: Iterable[tuple[str, str]], folder: Path) -> int:
    """Write what there is of stages without a sound artifact: their records. Returns how many."""
    wanted = {key for kind, key in stages if kind in records.TABLES_OF}
    found: set[str] = set()
    for table in tables.TABLES if wanted else ():
        for key, rows in rows_of(store, table).items():
            if key in wanted:
                records.write(folder, table, key, rows)
                found.add(key)
    return len(found)


def _places(store: Store, kind: str, key: str) -> list[Path]:
    """The files of a committed stage: its artifact, and how it was made."""
    if store.manifest(kind, key) is None:
        return []
    mark = store.root / PRUNED / key
    if not mark.exists():
        store.open(kind, key)  # raises CorruptArtifact
    home = store.folder(kind, key)
    places = sorted(home.rglob("*"))
    places += sorted((store.root / "attempts" / key).glob("[!_]*.json"))
    places += sorted((store.root / "logs" / f"{kind}-{key[:12]}").glob("*.log"))
    return [place for place in (*places, mark) if place.is_file()]


def _tar(path: Path, head: bytes, content: dict[str, Path]) -> None:
    """Write aside, sync, rename."""
    abandoned.remove(path.parent.glob(f"_{glob.escape(path.name)}.????????"))
    aside = path.with_name(f"_{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        aside.touch(exist_ok=False)
        with abandoned.held(aside):
            _write(aside, "gz" if path.suffix in (".gz", ".tgz") else "", head, content)
            files.sync_file(aside)
            os.replace(aside, path)
    except OSError as error:
        raise files.explain(error, path) from error
    finally:
        aside.unlink(missing_ok=True)


def _write(aside: Path, pressed: str, head: bytes, content: dict[str, Path]) -> None:
    mode: Any = f"w:{pressed}"
    with tarfile.open(aside, mode, format=tarfile.PAX_FORMAT) as tar:
        first = tarfile.TarInfo(ABOUT)
        first.size = len(head)
        tar.addfile(first, io.BytesIO(head))
        for name, place in content.items():
            info = tarfile.TarInfo(name)  # neither owner nor time: they are private
            info.size = place.stat().st_size
            with place.open("rb") as file:
                tar.addfile(info, file)


@dataclass(frozen=True)
class Arrived:
    """An archive that was taken in."""

    about: dict[str, Any]  # archive.json, without the checksums
    study: Path  # the study's file, kept in results/archives/
    merged: Merged


def read(path: Path, target: Path, *, keep_ours: bool = False) -> Arrived:
    """Check an archive whole, then merge it into the results folder `target`.

    Raises BadInput for an archive that is damaged, cut off or of a newer harness, and for
    contradictions with what is there (see `merge`).
    """
    store = Store(target)
    store.check_writable()
    abandoned.remove((target / "staging").glob("archive.*"))
    folder = store.staging("archive")
    with abandoned.held(folder):
        return _taken_in(path, folder, target, keep_ours)


def _taken_in(path: Path, folder: Path, target: Path, keep_ours: bool) -> Arrived:
    """Unpack into `folder`, check, merge, and remove the folder."""
    try:
        about = _unpack(path, folder)
        results = folder / RESULTS
        (results / "records").mkdir(parents=True, exist_ok=True)  # a study may have no numbers
        merged = merge(results, target, keep_ours=keep_ours, called=str(path))
        digest = files.sha256(folder / STUDY)[:12]
        kept = target / "archives" / f"{about.get('study', 'study')}-{digest}.yaml"
        kept.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(kept, (folder / STUDY).read_bytes())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another's is there
            folder.parent.rmdir()
    return Arrived(about, kept, merged)


def _names_are_names(about: dict[str, Any]) -> bool:
    """Are study and profile such as a study may have? A file is named after the study."""
    study, profile = about.get("study", "study"), about.get("profile")
    overrides = about.get("overrides", [])
    return (
        isinstance(study, str)
        and re.fullmatch(NAME, study) is not None
        and (
            profile is None
            or (isinstance(profile, str) and re.fullmatch(NAME, profile) is not None)
        )
        and isinstance(overrides, list)
        and all(isinstance(each, str) for each in overrides)
    )


def _check_members(path: Path, tar: tarfile.TarFile, free: int) -> None:
    """Refuse, before anything is unpacked, what `write` never writes and what has no room.

    free: bytes of the disk. A sparse file says a size that its archive does not hold.
    """
    size, names = 0, set[str]()
    for member in tar:
        size += member.size
        if not member.isreg() or member.issparse():
            raise BadInput(f"{path}: {member.name} is not a plain file. Nothing was taken")
        inside = PurePosixPath(member.name)
        if inside.is_absolute() or ".." in inside.parts:
            raise BadInput(
                f"{path}: {member.name} would lie outside the results. Nothing was taken"
            )
        if member.name in names:
            raise BadInput(f"{path}: {member.name} is in it twice. Nothing was taken")
        if size > free:
            raise BadInput(
                f"{path}: its content needs more than the {free:,} bytes that are free on the disk "
                "of the results. Nothing was taken"
            )
        names.add(member.name)


def _unpack(path: Path, folder: Path) -> dict[str, Any]:
    """Unpack and check. Returns archive.json without its checksums."""
    try:
        with tarfile.open(path) as tar:
            _check_members(path, tar, shutil.disk_usage(folder).free)
            # No links out, no absolute paths, no devices: neither does _check_members let pass any,
            # for a Python that has no filters yet (3.11.0 to 3.11.3).
            safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            tar.extractall(folder, **safe)
    except DAMAGED as error:
        raise BadInput(f"{path} is damaged or cut off: {error}; copy it again") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be unpacked: {error}") from None
    try:
        about = json.loads((folder / ABOUT).read_text())
        sums = dict(about.pop("files"))
        made_in = about["format"]
        named = _names_are_names(about)
    except KeyError as error:
        raise BadInput(f"{path} is not an archive of a study: {ABOUT} lacks {error}") from None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        what = f"{ABOUT} cannot be read ({type(error).__name__}: {error})"
        raise BadInput(f"{path} is not an archive of a study: {what}") from None
    if type(made_in) is not int or made_in < 1:
        raise BadInput(
            f"{path} is not an archive of a study: {ABOUT} has the format {made_in!r}; formats are "
            f"whole numbers, up to {FORMAT} in this version. Nothing was taken"
        )
    if made_in > FORMAT:
        raise BadInput(
            f"{path} was written by harness {about.get('harness')} in format {made_in}; this "
            f"version reads formats up to {FORMAT}: update the harness. Nothing was taken"
        )
    if not named:
        raise BadInput(
            f"{path}: its {ABOUT} names the study {str(about.get('study'))[:80]!r} and the profile "
            f"{str(about.get('profile'))[:80]!r}, which no study can have. Nothing was taken"
        )
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    wrong = [f"{name} is missing" for name in sorted(sums.keys() - there)]
    wrong += [f"{name} is not in its list" for name in sorted(there - sums.keys() - {ABOUT})]
    wrong += [
        f"{name} does not match its checksum"
        for name in sorted(sums.keys() & there)
        if files.sha256(folder / name) != sums[name]
    ]
    if wrong or STUDY not in sums:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise BadInput(
            f"{path}: {'; '.join(wrong[:3]) or STUDY + ' is missing'}{more}. Nothing was taken"
        )
    return about  # type: ignore[no-any-return]
