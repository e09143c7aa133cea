"""The matrix of a study: its points, and the run that each of them is."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from harness.components.autoencoder import Autoencoder
from harness.components.objective import Objective
from harness.nearest import did_you_mean
from harness.spec import choices, labels, model
from harness.spec import source as yaml_source
from harness.spec.base import LARGEST
from harness.spec.explain import explain, show, shown
from harness.spec.run import Run
from harness.spec.schema import (
    AutoencoderSettings,
    DiffusionSettings,
    StudySettings,
)
from harness.spec.source import Path_, Source

MOST_RUNS = 100_000  # of a matrix: a plan of them takes minutes, and gigabytes
MOST_SHOWN = 8  # values of an axis, in a sentence
# what an axis may set
VARIED = ("model", "train", "data", "autoencoder", "objective", "diffusion", "seed")


def points_of(settings: StudySettings, where: Source) -> tuple[list[dict[str, Any]], list[str]]:
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
                f"{did_you_mean(head, VARIED)}; an axis starts with one of: {', '.join(VARIED)}"
            )
    if problems:
        return [], problems
    axes: dict[str, tuple[Any, ...]] = {k: v for k, v in matrix.axes.items() if v is not None}
    count = math.prod(map(len, axes.values())) + len(matrix.include)
    if count > MOST_RUNS:
        problems.append(
            f"{where.place(('matrix',))}: the matrix has {count:,} points; at most {MOST_RUNS:,}"
        )
        return [], problems
    if axes or not matrix.include:
        names = list(axes)
        points = [
            dict(zip(names, values, strict=True)) for values in itertools.product(*axes.values())
        ]
    else:
        points = []
    points += [dict(p) for p in matrix.include]
    for i, rule in enumerate(matrix.exclude):
        kept = [p for p in points if any(_differ(p.get(a), value) for a, value in rule.items())]
        if len(kept) == len(points):
            problems.append(
                f"{where.place(('matrix', 'exclude', i))}: matrix.exclude "
                f"{json.dumps(rule, default=str, ensure_ascii=False)} matches no point"
                f"{_taken(rule, points)}"
            )
        points = kept
    if not points and not problems:
        problems.append(f"{where.place(('matrix',))}: the matrix is empty: no runs are left")
    return points, problems


def _taken(rule: Mapping[str, Any], points: list[dict[str, Any]]) -> str:
    """The points' values of the fields that a rule names; their axes, where they have none."""
    said = []
    for axis in rule:
        values = {_text({"": p[axis]}): p[axis] for p in points if axis in p}
        if not values:
            axes = dict.fromkeys(name for p in points for name in p)
            return f": no point sets {axis}; they set {', '.join(axes) or 'nothing'}"
        shown = [json.dumps(v, default=str, ensure_ascii=False) for v in values.values()]
        more = f" and {len(shown) - MOST_SHOWN:,} more" if len(shown) > MOST_SHOWN else ""
        said.append(f"{axis} takes {', '.join(shown[:MOST_SHOWN])}{more}")
    return f": {'; '.join(said)}" if said else ""


def _differ(value: Any, other: Any) -> bool:
    """To Python, true is 1."""
    return value != other or isinstance(value, bool) != isinstance(other, bool)


class _Sections:
    """The sections of runs, each validated once per distinct content."""

    def __init__(
        self, written: StudySettings, settings: StudySettings, where: Source, problems: list[str]
    ) -> None:
        self.written, self.where, self.problems = written, where, problems
        self.known: dict[tuple[str, str], Any] = {}
        self.untouched = {"train": settings.train, "data": settings.data}

    def get(self, name: str, changes: dict[str, Any], point: dict[str, Any]) -> Any:
        """A section with an axis' changes; None, and a problem, when it is wrong."""
        if not changes and name in self.untouched:
            return self.untouched[name]
        key = (name, _text(changes))
        if key not in self.known:
            self.known[key] = self._make(name, _nested(changes), point)
        return self.known[key]

    def _make(self, name: str, changes: dict[str, Any], point: dict[str, Any]) -> Any:
        written: Any = getattr(self.written, name)
        if name == "model":
            content = yaml_source._merge(written, changes)
            return model.choose(content, self.where, self.problems, point)
        if written is None:
            self.problems.append(
                f"{self.where.place(('matrix',))}: matrix varies {name}, which is null"
            )
            return None
        content = yaml_source._merge(written.model_dump(exclude_unset=True), changes)
        try:
            section = type(written).model_validate(content)
        except ValidationError as error:
            self.problems.extend(explain(error, self.where, (name,), point))
            return None
        before = len(self.problems)
        made = choices.resolved(section, self.where, (name,), self.problems, point)
        return made if len(self.problems) == before else None

    def objective(
        self, changes: dict[str, Any], diffusion: DiffusionSettings, point: dict[str, Any]
    ) -> Objective | None:
        """The objective; `diffusion`: the run's section, which DDPM's steps stand in too."""
        key = ("objective", f"{diffusion.steps} {_text(changes)}")
        if key not in self.known:
            base = self.written.objective
            base = {"name": base} if isinstance(base, str) else base
            nested = _nested(changes)
            value = yaml_source._merge(base, nested, "objective")
            self.known[key] = choices.component(
                "objective",
                value,
                self.where,
                ("objective",),
                self.problems,
                point,
                self.written.model_copy(update={"diffusion": diffusion}),
            )
        return self.known[key]  # type: ignore[no-any-return]

    def codec(self, settings: AutoencoderSettings, point: dict[str, Any]) -> Autoencoder | None:
        """The component that an `autoencoder` section names, with its own settings."""
        key = ("codec", str(id(settings)))  # which `known` keeps
        if key not in self.known:
            own = {"name": settings.name, **(settings.model_extra or {})}
            self.known[key] = choices.component(
                "autoencoder", own, self.where, ("autoencoder",), self.problems, point, settings
            )
        return self.known[key]  # type: ignore[no-any-return]


def runs_of(
    written: StudySettings,
    settings: StudySettings,
    points: list[dict[str, Any]],
    where: Source,
    problems: list[str],
) -> list[Run]:
    """One Run per point."""
    sections = _Sections(written, settings, where, problems)
    names = ("model", "train", "data", "autoencoder", "diffusion")
    runs: list[Run] = []
    fields_of_runs: list[dict[str, Any]] = []
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    conflicts: dict[tuple[str, ...], list[str]] = {}
    for point in points:
        changes: dict[str, dict[str, Any]] = {name: {} for name in (*names, "objective")}
        seed = settings.seed
        fields = list(fields_of(point))
        axes = tuple(name for name, _ in fields)
        if axes not in conflicts:
            conflicts[axes] = _conflicts(axes, where)
        if conflicts[axes]:
            problems += conflicts[axes]
            continue
        for axis, value in fields:
            head, _, rest = axis.partition(".")
            if head == "seed" and not rest:
                seed = value
                good = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed <= LARGEST
                if not good:
                    problems.append(
                        f"{where.place(('matrix', 'axes', 'seed'))}: seed must be a whole number "
                        f">= 0 of 64 bits, found {shown(value)}"
                    )
            elif head == "objective" and not rest:
                changes[head]["name"] = value
            elif head in changes and rest:
                changes[head][rest] = value
            else:
                problems.append(
                    f"{where.place(('matrix',))}: axis {axis!r} must name a field, "
                    f"as in {head}.FIELD"
                )
        parts = {name: sections.get(name, changes[name], point) for name in names}
        if any(p is None and (n != "train" or changes[n]) for n, p in parts.items()):
            continue
        objective = sections.objective(changes["objective"], parts["diffusion"], point)
        codec = sections.codec(parts["autoencoder"], point)
        if objective is None or codec is None:
            continue
        identity = (*(id(p) for p in parts.values()), id(objective), seed)
        run = Run(
            parts["model"],
            parts["data"],
            parts["autoencoder"],
            codec,
            objective,
            parts["train"],
            seed,
            point,
        )
        if identity in seen or (len(points) < 2000 and any(_same(run, other) for other in runs)):
            problems.append(
                f"{where.place(('matrix',))}: the run {show(point)} is in the matrix twice"
            )
            continue
        seen[identity] = point
        runs.append(run)
        fields_of_runs.append(dict(fields))
    words = labels.words_of(runs, fields_of_runs)
    return [replace(run, words=own) if own else run for run, own in zip(runs, words, strict=True)]


def fields_of(point: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
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


def _same(run: Run, other: Run) -> bool:
    return (
        run.seed == other.seed
        and run.model.same(other.model)
        and run.train == other.train
        and run.data == other.data
        and run.autoencoder == other.autoencoder
        and run.codec == other.codec
        and run.objective == other.objective
    )


def _text(changes: Mapping[str, Any]) -> str:
    """One text per content."""
    return json.dumps(changes, sort_keys=True, default=str) if changes else ""


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for dotted, value in flat.items():
        *parents, leaf = dotted.split(".")
        at = out
        for parent in parents:
            at = at.setdefault(parent, {})
        at[leaf] = value
    return out
