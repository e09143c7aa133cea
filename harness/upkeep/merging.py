"""Two results folders become one: nothing is lost, nothing is counted twice.

The source is only read. An artifact arrives as a stage's commit does: its files are checked,
written aside, synced and renamed, so `kill -9` at any moment leaves a folder that the same command
completes. Of a key that both folders have, the target's stays, and a metric that only the source
has is recorded beside it. When the two disagree about a number, nothing is merged before somebody
has looked.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.dispatch.ledger import Attempt, Ledger
from harness.errors import BadInput, Missing
from harness.plan import reads
from harness.store import files, records, tables
from harness.store.artifacts import MANIFEST, CorruptArtifact, Store
from harness.store.conflicts import contradiction, lacks
from harness.upkeep.rows import Rows, rows_of

if TYPE_CHECKING:
    from harness.store.file_lists import Difference

FILES = "files.parquet"  # as harness.store.file_lists
# What a manifest's facts say of the files behind a stage -> the role by which a list has them. It
# decides where there is no list: in older results, and of weights that no path of the study names.
MADE_OF = {
    "fingerprint": "data",
    "autoencoder_sha256": "autoencoder",
    "extractor_sha256": "extractor",
    "reference_sha256": "statistics",
}
PRUNED = "pruned"  # results/pruned/KEY: the artifact's payload was removed, its rows stay
# folders whose files are taken where there are none
ALIKE = ("logs", "tensorboard", "trackers", "studies", "environments")


@dataclass
class Merged:
    """The result of a merge, or of a dry run."""

    artifacts: list[tuple[str, str]] = field(default_factory=list)  # (kind, key)
    bytes: int = 0
    rows: dict[str, set[str]] = field(default_factory=dict)  # table -> keys without an artifact
    completed: dict[str, set[str]] = field(default_factory=dict)  # table -> keys that gain rows
    names: list[str] = field(default_factory=list)  # of imported checkpoints
    shared: int = 0  # keys that both have
    contradictions: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)  # of the source; left there
    behind_s: float = 0.0  # seconds of attempts whose stage's artifact or numbers did not come


def merge(
    source: Path,
    target: Path,
    *,
    keep_ours: bool = False,
    dry_run: bool = False,
    called: str | None = None,
) -> Merged:
    """Bring all that `source` has and `target` lacks into `target`.

    keep_ours: merge although the folders contradict each other; the target's numbers stay.
    called: the source's name in sentences, where that is not its path (an archive's is the file).
    Raises Missing or BadInput for folders that cannot be merged, and BadInput with every
    contradiction.
    """
    _check(source, target)
    name = called or str(source)
    theirs, ours = Store(source), Store(target)
    found = Merged()
    rows = {t: rows_of(theirs, t) for t in tables.TABLES}
    here = {t: rows_of(ours, t) for t in tables.TABLES}
    _compare(found, rows, here, (str(target), name))
    _compare_files(found, theirs, ours)
    _compare_names(found, source, target)
    if found.contradictions and not keep_ours:
        raise BadInput(
            "\n".join(
                [
                    f"{name} and {target} contradict each other; nothing was merged:",
                    *found.contradictions,
                    f"find out which is right; --keep-ours merges the rest, and {target} keeps its",
                ]
            )
        )
    if not dry_run:
        ours.check_writable()
    brought = set(_artifacts(found, theirs, ours, dry_run))
    if not dry_run:
        _record(theirs, ours)
    _records(found, rows, here, brought, ours, dry_run)
    if not dry_run:
        _names(found, source, target)
        _attempts(found, theirs, ours, {key for of in rows.values() for key in of})
        for name in ALIKE:
            _absent(source / name, target / name)
    return found


def _check(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise Missing(f"there is no results folder {source}")
    if not any((source / name).is_dir() for name in ("artifacts", "records")):
        raise BadInput(f"{source} is not a results folder: it has neither artifacts/ nor records/")
    if target.exists() and source.samefile(target):
        raise BadInput(f"{source} and {target} are the same folder")


def _compare(
    found: Merged,
    rows: dict[str, dict[str, Rows]],
    here: dict[str, dict[str, Rows]],
    places: tuple[str, str],
) -> None:
    for table, of in rows.items():
        for key in of.keys() & here[table].keys():
            if (what := contradiction(table, here[table][key], of[key], places)) is not None:
                found.contradictions.append(f"{key[:12]}: {what}")


def _compare_files(found: Merged, theirs: Store, ours: Store) -> None:
    """Were stages that both did made of the same images, weights and statistics?

    By the lists of files that they keep, else by the checksums that their manifests have.
    """
    for kind in reads.OF_KIND:
        for key in sorted(theirs.committed([kind]) & ours.committed([kind])):
            try:
                mine, other = ours.manifest(kind, key), theirs.manifest(kind, key)
            except CorruptArtifact:
                continue  # said where it is read
            label = f"{key[:12]}: {(mine and mine.label) or kind}"
            differences = _differences(ours, theirs, kind, key)
            for role, difference in differences.items():
                if difference.other:
                    found.contradictions.append(
                        f"{label} was made of other files there ({role}): {difference}"
                    )
            facts = [m.facts if m else {} for m in (mine, other)]
            for name, role in MADE_OF.items():
                a, b = (str(f.get(name) or "") for f in facts)
                listed = role in differences or ("data" in differences and _computed(name, facts))
                if a and b and a != b and not listed:
                    found.contradictions.append(f"{label}: {name} is {a[:12]} here, {b[:12]} there")


def _computed(name: str, facts: Sequence[Mapping[str, Any]]) -> bool:
    """Was it made of the images, rather than read? Then it may differ by rounding."""
    trained = any(f.get("training") for f in facts)
    return name == "reference_sha256" or (name == "extractor_sha256" and trained)


def _differences(ours: Store, theirs: Store, kind: str, key: str) -> dict[str, Difference]:
    """By role, of the files that a stage read here and there; none where a list is damaged."""
    from harness.store import file_lists

    try:
        mine, other = (
            file_lists.read(s.folder(kind, key) / FILES, contents=True) for s in (ours, theirs)
        )
        found = {
            role: file_lists.compare(mine[role], other[role]) for role in mine if role in other
        }
        if any(each.other for each in found.values()):
            file_lists.check(ours, kind, key)
            file_lists.check(theirs, kind, key)
    except CorruptArtifact:
        return {}
    return found


def _artifacts(found: Merged, theirs: Store, ours: Store, dry_run: bool) -> Iterator[str]:
    """Bring the artifacts over; yields the keys that are there afterwards and were not before."""
    for folder in sorted((theirs.root / "artifacts").glob("*")):
        kind = folder.name
        have = ours.committed([kind])
        for key in sorted(theirs.committed([kind])):
            if key in have:
                found.shared += 1
                continue
            pruned = (theirs.root / PRUNED / key).exists()
            try:
                manifest = theirs.manifest(kind, key)
                if not pruned:
                    theirs.open(kind, key)  # sizes and checksums of every file
            except CorruptArtifact as error:
                found.damaged.append(str(error))
                continue
            if manifest is None:
                continue
            found.artifacts.append((kind, key))
            found.bytes += sum(p.stat().st_size for p in (folder / key).rglob("*") if p.is_file())
            if not dry_run:
                _adopt(theirs, ours, kind, key, pruned)
            yield key


def _adopt(theirs: Store, ours: Store, kind: str, key: str, pruned: bool) -> None:
    """Copy one artifact, by the protocol of a commit."""
    staging = ours.staging(key)
    target = ours.folder(kind, key)
    try:
        shutil.copytree(theirs.folder(kind, key), staging, dirs_exist_ok=True)
        for path in staging.rglob("*"):
            if path.is_file():
                files.step("write", path)
                files.sync_file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if pruned:  # the mark first: without it, what is not there would count as damage
            files.write_atomic(ours.root / PRUNED / key, f"{kind}\n".encode())
        files.step("commit", target)
        with contextlib.suppress(OSError):  # a stage has just committed it: its own stays
            os.rename(staging, target)
            files.sync_folder(target.parent)
    except OSError as error:
        raise files.explain(error, target) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _record(theirs: Store, ours: Store) -> None:
    """Write the rows of artifacts that both have now and that are not in the records yet.

    Also of those that an earlier merge brought before it was killed.
    """
    known = {table: records.scan(ours.root, table).keys for table in tables.TABLES}
    for kind in records.TABLES_OF:
        for key in sorted(theirs.committed([kind]) & ours.committed([kind])):
            if all(key in known[table] for table in records.TABLES_OF[kind]):
                continue
            with contextlib.suppress(CorruptArtifact):  # readers name it
                for table, rows in (ours.rows(kind, key) or {}).items():
                    if rows and key not in known[table]:
                        records.write(ours.root, table, key, rows)


def _records(
    found: Merged,
    rows: dict[str, dict[str, Rows]],
    here: dict[str, dict[str, Rows]],
    brought: set[str],
    ours: Store,
    dry_run: bool,
) -> None:
    """Rows whose artifact is not there any more, or does not say them any more: the records are
    all that is left of them. And those of a key that both have which only the source has: a metric
    may be missing for want of memory."""
    for table, of in rows.items():
        new = of.keys() - here[table].keys()
        fuller = {
            key
            for key in of.keys() & here[table].keys()
            if lacks(table, here[table][key], of[key])
            and contradiction(table, here[table][key], of[key]) is None
        }
        if alone := new - brought:
            found.rows[table] = alone
        if fuller:
            found.completed[table] = fuller
        if not dry_run:
            for key in sorted((new - records.scan(ours.root, table).keys) | fuller):
                records.write(ours.root, table, key, of[key])


def _compare_names(found: Merged, source: Path, target: Path) -> None:
    for path in sorted((source / "checkpoints").glob("[!_]*.json")):
        other = target / "checkpoints" / path.name
        if other.exists() and _named_key(other) != _named_key(path):
            found.contradictions.append(f"the imported checkpoint {path.stem} is another one here")


def _named_key(path: Path) -> Any:
    """The key of the imported checkpoint that a file names; where it is none, what it holds. None
    where it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    try:
        return json.loads(data)["key"]
    except (ValueError, KeyError, TypeError):
        return data


def _names(found: Merged, source: Path, target: Path) -> None:
    for path in sorted((source / "checkpoints").glob("[!_]*.json")):
        other = target / "checkpoints" / path.name
        if not other.exists() and _named_key(path) is not None:  # one that can be read
            other.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(other, path.read_bytes())
            found.names.append(path.stem)


def _attempts(found: Merged, theirs: Store, ours: Store, measured: set[str]) -> None:
    """How the artifacts and numbers that came over were made, in this merge or in one before that
    was killed.

    Others stay behind. Failures of stages that are not done say nothing about this machine, and
    where both made a stage, this folder's own attempts made what lies here. measured: keys that
    have numbers there.
    """
    ledger = Ledger(theirs.root)
    for key in sorted(ledger.tried()):
        there, known = (
            {path.stem for path in (s.root / "attempts" / key).glob("[!_]*.json")}
            for s in (theirs, ours)
        )
        tried = ledger.attempts(key) if there - known else []
        new = [one for one in tried if one.ended is not None and one.id not in known]
        if not new:
            continue
        own = (ours.folder(new[0].kind, key) / MANIFEST).exists() or known - there
        copied = _is_copied(theirs, ours, new[0].kind, key)
        for attempt in new:
            if copied or (key in measured and not own and attempt.state == "done"):
                _bring(attempt, theirs.root, ours.root)
            else:
                found.behind_s += attempt.seconds


def _is_copied(theirs: Store, ours: Store, kind: str, key: str) -> bool:
    """Is our artifact a copy of theirs? A manifest says when and where its stage was done."""
    try:
        here, there = ((s.folder(kind, key) / MANIFEST).read_bytes() for s in (ours, theirs))
    except OSError:
        return False
    return here == there


def _bring(attempt: Attempt, source: Path, target: Path) -> None:
    name = Path("attempts", attempt.key, f"{attempt.id}.json")
    with contextlib.suppress(OSError, ValueError):
        content = json.loads((source / name).read_text())
        content["log"] = str(target.joinpath("logs", *Path(attempt.log).parts[-2:]))
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        files.write_json(target / name, content)


def _absent(source: Path, target: Path) -> None:
    """Copy the files that the target does not have."""
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        other = target / path.relative_to(source)
        if path.is_file() and not path.is_symlink() and not other.exists():
            other.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(other, path.read_bytes())
