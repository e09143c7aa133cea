"""A study's names for its stages: results/studies/NAME-PROFILE-SHA.json, written by `run`.

A record knows its key and its settings, not which studies it serves. This file says, for each stage
key of one study, the run's label, the evaluations it is of, the training step, and where in the
matrix it stands. So a study's rows can be told apart, and be read where the study's file or a
component that it names is not available: the study's text is here as well.

    {"format": 1, "study": "scaling", "profile": "laptop", "text": "study: scaling\\n...",
     "overrides": ["seed=1"], "written": "2026-11-25T15:00:00+00:00",
     "runs": [{"label": "DiT-S/2 seed=1", "axes": {"model.size": "S", "seed": 1},
               "model": "DiT-S/2", "family": "DiT", "size": "S"}, ...],
     "components": {"family:my-net": {"from": "package nets 1.2", "version": 3}},
     "stages": {KEY: {"kind": "evaluate", "runs": [0], "evaluations": ["final"], "step": 400}},
     "claims": {"size-helps": "2026-11-25T15:00:00+00:00", ...}}

`claims` says when each claim of the study was first stored: a claim added after the first run was
chosen with the data in view. A file from before claims were stored has none.

SHA is that of everything but `written`: the study under other --set gets a file of its own, the
same study run again does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.store import files

FORMAT = 1
FOLDER = "studies"
OUTSIDE = ("dispatch", "report", "title", "about")  # settings that make no other numbers
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Point:
    """One run of a study: what it is called there, and its place in the matrix."""

    label: str
    axes: Mapping[str, Value] = field(default_factory=dict)
    model: str | None = None  # the model's name; in another study these numbers may have another
    family: str | None = None  # None: as recorded
    size: str | None = None


@dataclass(frozen=True)
class StageOf:
    """The place of a stage in a study. Several runs, or evaluations, may share one stage."""

    kind: str
    runs: tuple[int, ...] = ()  # indices of Index.runs; none for what is not a run's
    evaluations: tuple[str, ...] = ()
    step: int | None = None


@dataclass(frozen=True)
class Index:
    """One study under one profile: its text, its runs, and its stages by key."""

    study: str
    profile: str
    text: str
    runs: tuple[Point, ...]
    stages: Mapping[str, StageOf]
    overrides: tuple[str, ...] = ()
    # "kind:name" of what others brought -> {"from", "version", "sha256"} (registry.origins)
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    written: str | None = None  # UTC; None while it is not
    claims: Mapping[str, str | None] = field(default_factory=dict)  # id: first stored, UTC

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the matrix's axes, as the study writes them, in its order."""
        return tuple(dict.fromkeys(axis for run in self.runs for axis in run.axes))

    def label(self, key: str) -> str | None:
        """The label of the first run that the stage serves."""
        runs = self.stages[key].runs
        return self.runs[runs[0]].label if runs else None

    def configuration(self, key: str) -> str | None:
        """The label without the seed, which is a column of its own: seeds of one share it."""
        label, runs = self.label(key), self.stages[key].runs
        if label is None or "seed" not in self.runs[runs[0]].axes:
            return label
        seed = self.runs[runs[0]].axes["seed"]
        for ending in (f", seed {seed}", f" seed {seed}", f" seed={seed}"):  # last: of before
            label = label.removesuffix(ending)
        return label

    def axis(self, key: str, axis: str) -> Value:
        """Where the stage stands on an axis; None where it serves several points of it."""
        found = {repr(v): v for r in self.stages[key].runs for v in [self.runs[r].axes.get(axis)]}
        return next(iter(found.values())) if len(found) == 1 else None


def of_numbers(overrides: Iterable[str]) -> tuple[str, ...]:
    """Those of a study's overrides that may make other numbers, sorted."""
    return tuple(sorted(o for o in overrides if re.split(r"[.=]", o, maxsplit=1)[0] not in OUTSIDE))


def write(root: Path, index: Index) -> Path:
    """Write a study's file; claims keep the time at which they were first stored.

    Errors: NotWritable, DiskFull.
    """
    written = _now()
    known = stored_claims(root, index.study, index.profile)
    claims = {name: known.get(name, since or written) for name, since in index.claims.items()}
    content = _content(replace(index, claims=claims))
    sha = files.digest(json.dumps(content, sort_keys=True).encode())[:12]
    path = Path(root) / FOLDER / f"{_plain(f'{index.study}-{index.profile}')}-{sha}.json"
    text = json.dumps({**content, "written": written}, separators=(",", ":"), ensure_ascii=False)
    files.write_atomic(path, text.encode())
    return path


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _plain(name: str) -> str:
    """A name of a file; a profile may be called anything."""
    return re.sub(r"[^\w.+-]", "_", name)


def _content(index: Index) -> dict[str, Any]:
    content = {"format": FORMAT, **asdict(index)}
    del content["written"]
    if not index.components:  # as files were before there were any
        del content["components"]
    if not content["claims"]:
        del content["claims"]  # as files were before claims were stored
    return json.loads(json.dumps(content, allow_nan=False))  # type: ignore[no-any-return]


def read(path: Path) -> Index:
    """A study's file. Raises BadInput where it is damaged or of a newer format."""
    try:
        content = json.loads(files.read_bytes(path))
        if content["format"] > FORMAT:
            raise BadInput(
                f"{path} was written by a newer harness (format {content['format']}, known here: "
                f"{FORMAT}): update the code"
            )
        written = content.pop("written")
        sha = files.digest(json.dumps(content, sort_keys=True).encode())[:12]
        if path.stem.rpartition("-")[2] != sha:
            raise ValueError("it does not match its checksum")
        return Index(
            study=content["study"],
            profile=content["profile"],
            text=content["text"],
            runs=tuple(Point(**run) for run in content["runs"]),
            stages={k: _stage(stage) for k, stage in content["stages"].items()},
            overrides=tuple(content["overrides"]),
            components=content.get("components", {}),
            written=written,
            claims=dict(content.get("claims", {})),
        )
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{path} is damaged ({error}): delete it; `run` of its study writes it again"
        ) from None


def _stage(content: Mapping[str, Any]) -> StageOf:
    return StageOf(
        content["kind"], tuple(content["runs"]), tuple(content["evaluations"]), content["step"]
    )


def names(root: Path) -> list[str]:
    """The studies that have a file here, as NAME-PROFILE, sorted."""
    found = (path.stem.rpartition("-")[0] for path in _paths(root))
    return sorted(set(found))


def find(root: Path, name: str) -> Index:
    """The study called NAME, or NAME-PROFILE, that was run last.

    Raises BadInput where there is none, or where NAME was run under several profiles.
    """
    paths = [path for path in _paths(root) if path.stem.rpartition("-")[0] == _plain(name)]
    if not paths:
        indexes = [i for i in _sound(_paths(root)) if i.study == name]
        profiles = sorted({index.profile for index in indexes})
        if len(profiles) > 1:
            given = " or ".join(f"{name}-{profile}" for profile in profiles)
            raise BadInput(f"study {name!r} was run under several profiles here: say {given}")
    else:
        indexes = _sound(paths)
        if not indexes:
            read(paths[0])  # says what is wrong with it
    if not indexes:
        known = ", ".join(names(root)) or "none"
        raise BadInput(
            f"no study {name!r} was run into {root} (known: {known}); give one of these, or the "
            "path of its YAML file"
        )
    return max(indexes, key=lambda index: index.written or "")


def stored_claims(root: Path, study: str, profile: str) -> dict[str, str]:
    """When each claim of a study under a profile was first stored, over all of its files here."""
    found: dict[str, str] = {}
    for index in _of(root, study, profile):
        for name, since in index.claims.items():
            if since is not None:
                found[name] = min(found.get(name, since), since)
    return found


def claims_after(root: Path, study: str, profile: str) -> frozenset[str]:
    """Claims that were stored after the study's first run: chosen with the data in view."""
    found = stored_claims(root, study, profile)
    before = [i.written for i in _of(root, study, profile) if not i.claims and i.written]
    first = min([*found.values(), *before], default="")
    return frozenset(name for name, since in found.items() if since > first)


def _of(root: Path, study: str, profile: str) -> list[Index]:
    name = _plain(f"{study}-{profile}")
    paths = [path for path in _paths(root) if path.stem.rpartition("-")[0] == name]
    return [i for i in _sound(paths) if (i.study, i.profile) == (study, profile)]


def _paths(root: Path) -> list[Path]:
    return sorted((Path(root) / FOLDER).glob("[!_]*-*-*.json"))


def _sound(paths: Iterable[Path]) -> list[Index]:
    found = []
    for path in paths:
        try:
            found.append(read(path))
        except BadInput:
            continue
    return found


def flat(point: Mapping[str, Any]) -> dict[str, Value]:
    """A point of the matrix with one plain value per axis: what is nested is written as JSON."""
    return {
        axis: value
        if value is None or isinstance(value, (str, int, float))
        else json.dumps(value, sort_keys=True, default=str)
        for axis, value in point.items()
    }


def kinds(values: Sequence[Value]) -> str:
    """The column type of an axis: that of all of its values, else "string"."""
    types = {type(v) for v in values if v is not None}
    if types == {bool}:
        return "bool"
    if types == {int}:
        return "int64"
    if types and types <= {int, float}:
        return "float64"
    return "string"
