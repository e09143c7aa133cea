"""From a YAML file to a `Study`: merge, check everything, expand the matrix.

All errors are collected and raised at once, each with its file, line, field, the value found and
what is allowed.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.errors import BadInput
from harness.spec import shipped
from harness.spec import source as yaml_source
from harness.spec.base import LARGEST
from harness.spec.checks import cross_checks
from harness.spec.explain import explain, nearest, show
from harness.spec.schema import (
    DataSettings,
    EvaluationSettings,
    ModelSettings,
    StudySettings,
    TrainSettings,
)
from harness.spec.source import Path_, Source

MOST_RUNS = 100_000  # of a matrix: a plan of them takes minutes, and gigabytes
VARIED = ("model", "train", "data", "autoencoder", "diffusion", "seed")  # what an axis may set


class BadStudy(BadInput):
    """The study cannot be used; the message lists every reason, one a line."""


@dataclass(frozen=True)
class Run:
    """One point of the matrix: one model trained one way."""

    model: ModelSettings
    data: Any
    autoencoder: Any
    diffusion: Any
    train: TrainSettings | None
    seed: int
    point: Mapping[str, Any] = field(default_factory=dict)  # the axes' values, for people

    @property
    def label(self) -> str:
        """For tables: the model's name, and what else the matrix varies."""
        others = [
            f"{axis}={value}"
            for axis, value in _fields(self.point)
            if not axis.startswith("model.") or axis == "model.block"
        ]
        return " ".join([self.model.label, *others])


@dataclass(frozen=True)
class Study:
    """A checked study under one profile."""

    path: Path
    profile: str
    settings: StudySettings
    runs: tuple[Run, ...]
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.settings.study

    @property
    def evaluations(self) -> dict[str, EvaluationSettings]:
        return {n: e for n, e in self.settings.evaluations.items() if e is not None}


def profiles(path: str | Path) -> list[str]:
    """The names of a study's profiles."""
    found = yaml_source.read(shipped.find(path)).data.get("profiles") or {}
    return list(found) if isinstance(found, Mapping) else []


def load_study(
    path: str | Path, profile: str | None = None, overrides: Iterable[str] = ()
) -> Study:
    """Read, merge, check and expand a study: a YAML file, or the name of one that ships with us.

    `overrides` are "a.b=value" texts laid over the profile. Errors: BadStudy (or BadInput while the
    file cannot be parsed) listing everything that is wrong.
    """
    path = shipped.find(path)
    base = yaml_source.read(path)
    chosen, merged = _with_profile(base, profile, str(path))
    overrides = tuple(overrides)
    for assignment in overrides:
        merged = yaml_source.override(merged, assignment)
    try:
        settings = StudySettings.model_validate(merged.data)
    except ValidationError as error:
        raise BadStudy("\n".join(explain(error, merged))) from None
    points, problems = _points(settings, merged)
    runs, more = _runs(settings, points, merged)
    problems += more + cross_checks(settings, runs, merged)
    if problems:
        raise BadStudy("\n".join(dict.fromkeys(problems)))
    return Study(path, chosen, settings, tuple(runs), overrides)


def _with_profile(base: Source, profile: str | None, file: str) -> tuple[str, Source]:
    declared = base.data.get("profiles") or {}
    if not isinstance(declared, Mapping):
        raise BadStudy(f"{base.place(('profiles',))}: profiles must be a mapping of names")
    chosen = profile if profile is not None else base.data.get("profile", "laptop")
    if not isinstance(chosen, str):
        raise BadStudy(f"{base.place(('profile',))}: profile must be a name, found {chosen!r}")
    if chosen not in declared:
        if profile is None and not declared:
            return str(chosen), base
        near = nearest(str(chosen), declared)
        raise BadStudy(
            f"{base.place(('profile',)) if profile is None else file}: unknown profile "
            f"{chosen!r}{near}; this study's profiles: {', '.join(declared) or 'none'}"
        )
    overlay, places = yaml_source.subtree(base, ("profiles", chosen))
    if overlay is None:
        return chosen, base
    if not isinstance(overlay, Mapping):
        raise BadStudy(f"{base.place(('profiles', chosen))}: a profile is a mapping of fields")
    if "profiles" in overlay or "study" in overlay:
        raise BadStudy(
            f"{base.place(('profiles', chosen))}: a profile cannot set `profiles` or `study`"
        )
    return chosen, yaml_source.merged(base, overlay, places)


# --- the matrix -----------------------------------------------------------------------------------


def _points(settings: StudySettings, where: Source) -> tuple[list[dict[str, Any]], list[str]]:
    """The matrix's points as {axis: value}, and what is wrong with them."""
    matrix, problems = settings.matrix, []
    given: list[Path_] = [("axes", axis) for axis in matrix.axes]
    given += [("include", i, axis) for i, p in enumerate(matrix.include) for axis in p]
    given += [("exclude", i, axis) for i, p in enumerate(matrix.exclude) for axis in p]
    for path in given:
        axis = path[-1]
        head = str(axis).split(".")[0]
        if head not in VARIED:
            problems.append(
                f"{where.place(('matrix', *path))}: matrix cannot vary {axis!r}"
                f"{nearest(head, VARIED)}; an axis starts with one of: {', '.join(VARIED)}"
            )
    if problems:
        return [], problems
    count = math.prod(map(len, matrix.axes.values())) + len(matrix.include)
    if count > MOST_RUNS:
        problems.append(
            f"{where.place(('matrix',))}: the matrix has {count:,} points; at most {MOST_RUNS:,}"
        )
        return [], problems
    if matrix.axes or not matrix.include:
        names = list(matrix.axes)
        points = [
            dict(zip(names, values, strict=True))
            for values in itertools.product(*matrix.axes.values())
        ]
    else:
        points = []
    points += [dict(p) for p in matrix.include]
    for i, rule in enumerate(matrix.exclude):
        kept = [p for p in points if any(p.get(axis) != value for axis, value in rule.items())]
        if len(kept) == len(points):
            problems.append(
                f"{where.place(('matrix', 'exclude', i))}: matrix.exclude {dict(rule)} "
                "matches no point"
            )
        points = kept
    if not points and not problems:
        problems.append(f"{where.place(('matrix',))}: the matrix is empty: no runs are left")
    return points, problems


def _runs(
    settings: StudySettings, points: list[dict[str, Any]], where: Source
) -> tuple[list[Run], list[str]]:
    """One Run per point; sections are validated once per distinct content."""
    checked: dict[tuple[str, str], Any] = {}
    problems: list[str] = []
    sections: dict[str, tuple[type[BaseModel], Any]] = {
        "model": (ModelSettings, settings.model),
        "train": (TrainSettings, _plain(settings.train)),
        "data": (DataSettings, _plain(settings.data)),
        "autoencoder": (type(settings.autoencoder), _plain(settings.autoencoder)),
        "diffusion": (type(settings.diffusion), _plain(settings.diffusion)),
    }
    untouched: dict[str, Any] = {
        "train": settings.train,
        "data": settings.data,
        "autoencoder": settings.autoencoder,
        "diffusion": settings.diffusion,
        "seed": settings.seed,
    }

    def section(name: str, changes: dict[str, Any], point: dict[str, Any]) -> Any:
        if not changes and name in untouched:
            return untouched[name]
        cache = (name, json.dumps(changes, sort_keys=True, default=str))
        if cache not in checked:
            kind, base = sections[name]
            if base is None:
                problems.append(f"{where.place(('matrix',))}: matrix varies {name}, which is null")
                checked[cache] = None
                return None
            content = yaml_source._merge(base, _nested(changes))
            try:
                checked[cache] = kind.model_validate(content)
            except ValidationError as error:
                checked[cache] = None
                problems.extend(explain(error, where, (name,), point))
        return checked[cache]

    runs: list[Run] = []
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    conflicts: dict[tuple[str, ...], list[str]] = {}
    for point in points:
        changes: dict[str, dict[str, Any]] = {name: {} for name in sections}
        seed = settings.seed
        fields = list(_fields(point))
        names = tuple(name for name, _ in fields)
        if names not in conflicts:
            conflicts[names] = _conflicts(names, where)
        if conflicts[names]:
            problems += conflicts[names]
            continue
        for axis, value in fields:
            head, _, rest = axis.partition(".")
            if head == "seed" and not rest:
                seed = value
                good = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed <= LARGEST
                if not good:
                    problems.append(
                        f"{where.place(('matrix', 'axes', 'seed'))}: seed must be a whole number "
                        f">= 0 of 64 bits, found {value!r}"
                    )
            elif head in changes and rest:
                changes[head][rest] = value
            else:
                problems.append(
                    f"{where.place(('matrix',))}: axis {axis!r} must name a field, "
                    f"as in {head}.FIELD"
                )
        parts = {name: section(name, changes[name], point) for name in sections}
        if any(p is None and (n != "train" or changes[n]) for n, p in parts.items()):
            continue
        identity = (id(parts["model"]), *(id(p) for p in parts.values()), seed)
        if identity in seen or (len(points) < 2000 and _same(parts, seed, runs)):
            problems.append(
                f"{where.place(('matrix',))}: the run {show(point)} is in the matrix twice"
            )
            continue
        seen[identity] = point
        runs.append(
            Run(
                parts["model"],
                parts["data"],
                parts["autoencoder"],
                parts["diffusion"],
                parts["train"],
                seed,
                point,
            )
        )
    return runs, problems


def _fields(point: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields that a point sets; an axis may set several of a section: model: {size: S}."""
    for axis, value in point.items():
        if "." not in axis and isinstance(value, Mapping):
            yield from ((f"{axis}.{name}", its) for name, its in value.items())
        else:
            yield axis, value


def _conflicts(fields: tuple[str, ...], where: Source) -> list[str]:
    """Does a point set a field twice (model: {size: S} and model.size), or a part of another?"""
    return [
        f"{where.place(('matrix',))}: matrix sets {one} "
        + ("twice" if one == other else f"and {other}")
        + " in one run: give one of them"
        for one, other in itertools.combinations(fields, 2)
        if one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
    ]


def _same(parts: dict[str, Any], seed: int, runs: list[Run]) -> bool:
    return any(
        r.seed == seed
        and r.model.checkpoint == parts["model"].checkpoint
        and (
            r.model.checkpoint is not None
            or (r.model.shape, r.model.patch_size, r.model.block)
            == (parts["model"].shape, parts["model"].patch_size, parts["model"].block)
        )
        and r.train == parts["train"]
        and r.data == parts["data"]
        and r.autoencoder == parts["autoencoder"]
        and r.diffusion == parts["diffusion"]
        for r in runs
    )


def _plain(settings: BaseModel | None) -> dict[str, Any] | None:
    return None if settings is None else settings.model_dump()


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for dotted, value in flat.items():
        *parents, leaf = dotted.split(".")
        at = out
        for parent in parents:
            at = at.setdefault(parent, {})
        at[leaf] = value
    return out
