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

from pydantic import ValidationError

from harness import __version__
from harness.components import files, standin
from harness.components.autoencoder import Autoencoder
from harness.components.family import Input
from harness.components.files import File
from harness.components.objective import Objective
from harness.errors import BadInput
from harness.spec import choices, model, overriding, requires, shipped, site
from harness.spec import source as yaml_source
from harness.spec.base import LARGEST
from harness.spec.checks import cross_checks
from harness.spec.dispatching import DispatchSettings
from harness.spec.explain import explain, nearest, show, shown
from harness.spec.model import Model
from harness.spec.schema import (
    AutoencoderSettings,
    DataSettings,
    DiffusionSettings,
    EvaluationSettings,
    ReferenceSettings,
    ReportSettings,
    StudySettings,
    TrainSettings,
)
from harness.spec.source import Path_, Source

MOST_RUNS = 100_000  # of a matrix: a plan of them takes minutes, and gigabytes
# what an axis may set
VARIED = ("model", "train", "data", "autoencoder", "objective", "diffusion", "seed")
IN_LABEL = ("name", "checkpoint", "family", "size", "patch_size", "depth", "width", "heads")


class BadStudy(BadInput):
    """The study cannot be used; the message lists every reason, one a line."""


@dataclass(frozen=True)
class Run:
    """One point of the matrix: one model trained one way."""

    model: Model
    data: DataSettings
    autoencoder: AutoencoderSettings
    codec: Autoencoder  # the component that `autoencoder` names
    objective: Objective
    train: TrainSettings | None
    seed: int
    point: Mapping[str, Any] = field(default_factory=dict)  # the axes' values, for people

    @property
    def label(self) -> str:
        """For tables: the model's name, and what else the matrix varies."""
        others = [
            f"{axis}={value}"
            for axis, value in _fields(self.point)
            if not axis.startswith("model.") or axis.partition(".")[2] not in IN_LABEL
        ]
        return " ".join([self.model.label, *others])

    def given(self) -> Input:
        """What the network is given and asked for. Raises BadInput: images that do not fit."""
        channels, side, _ = self.codec.latent_shape(self.data.image_size, self.data.channels)
        return Input(side, channels, self.data.num_classes, self.objective.out_channels(channels))


@dataclass(frozen=True)
class Study:
    """A checked study under one profile."""

    path: Path
    profile: str
    settings: StudySettings
    runs: tuple[Run, ...]
    overrides: tuple[str, ...] = ()
    components: tuple[File, ...] = ()  # its own component files

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
    overrides = tuple(overrides)

    def without(override: str) -> list[str]:
        """What is wrong with the study where one override is left out."""
        try:
            _load(path, profile, tuple(o for o in overrides if o != override))
        except BadInput as error:
            return str(error).splitlines()
        return []

    try:
        return standin.or_with_torch(lambda: _load(path, profile, overrides))
    except BadInput as error:  # of a component too, which knows nothing of files
        text = "\n".join(overriding.blamed(str(error).splitlines(), overrides, without))
        named = str(path) in text or "--set" in text
        raise BadStudy(text if named else f"{path}: {text}") from error


def _load(path: Path, profile: str | None, overrides: tuple[str, ...]) -> Study:
    base = site.beneath(yaml_source.read(path))
    requires.check(base, __version__)
    chosen, merged = _with_profile(base, profile, str(path))
    before = merged
    for assignment in overrides:
        merged = yaml_source.override(merged, assignment)
    brought = _component_files(merged, Path(path).parent)
    try:
        written = StudySettings.model_validate(merged.data)
    except ValidationError as error:
        found = [*explain(error, merged), *_unchecked(merged)]
        raise BadStudy("\n".join(dict.fromkeys(found))) from None
    problems = overriding.idle(overrides, before, merged)
    settings = _with_components(written, merged, problems)
    points, more = _points(written, merged)
    problems += more
    runs = _runs(written, settings, points, merged, problems)
    if problems:  # what goes together is asked of what is right in itself
        raise BadStudy("\n".join(dict.fromkeys(problems)))
    problems = cross_checks(settings, runs, merged)
    if problems:
        raise BadStudy("\n".join(dict.fromkeys(problems)))
    return Study(path, chosen, settings, tuple(runs), overrides, brought)


@dataclass(frozen=True)
class Unread:
    """A study that was checked without running its component files."""

    profile: str
    problems: tuple[str, ...]


def check_without_components(
    path: str | Path, profile: str | None = None, overrides: Iterable[str] = ()
) -> Unread | None:
    """What is wrong with a study, as far as that shows without running code of its own.

    None where it lists no component files: then it can be loaded. Names that only its files may
    bring, and what hangs on them, are passed over. Raises BadInput where it cannot be parsed.
    """
    path = shipped.find(path)
    base = yaml_source.read(path)
    requires.check(base, __version__)
    chosen, merged = _with_profile(base, profile, str(path))
    for assignment in overrides:
        merged = yaml_source.override(merged, assignment)
    if not merged.data.get("components"):
        return None
    found: list[str] = []
    try:
        StudySettings.model_validate(merged.data)
    except ValidationError as error:
        found = explain(error, merged)
    return Unread(chosen, tuple(dict.fromkeys(found)))


def _component_files(where: Source, folder: Path) -> tuple[File, ...]:
    """The study's own components, loaded. Raises BadStudy with the line that lists them."""
    listed = where.data.get("components") or ()
    if not (isinstance(listed, tuple) and all(isinstance(name, str) for name in listed)):
        return ()  # the schema says what is wrong with it
    try:
        return files.of_study(listed, folder)
    except BadInput as error:
        place = where.place(("components",))
        raise BadStudy("\n".join(f"{place}: {line}" for line in str(error).split("\n"))) from None


def _unchecked(where: Source) -> list[str]:
    """What is wrong with the components of a study that is wrong elsewhere too."""
    found = choices.unchecked(StudySettings, where.data, where, ())
    sections = {
        "data": DataSettings,
        "train": TrainSettings,
        "reference": ReferenceSettings,
        "report": ReportSettings,
        "dispatch": DispatchSettings,
    }
    for name, section in sections.items():
        found += choices.unchecked(section, where.data.get(name), where, (name,))
    evaluations = where.data.get("evaluations")
    for name, given in (evaluations if isinstance(evaluations, Mapping) else {}).items():
        path = ("evaluations", name)
        found += choices.unchecked(EvaluationSettings, given, where, path)
    return found


def _with_components(written: StudySettings, where: Source, problems: list[str]) -> StudySettings:
    """The settings with components in the place of their names."""

    def of(section: Any, *path: str) -> Any:
        return section and choices.resolved(section, where, path, problems)

    sections = ("data", "train", "reference", "report", "dispatch")
    found = {name: of(getattr(written, name), name) for name in sections}
    found["evaluations"] = {
        name: of(evaluation, "evaluations", name)
        for name, evaluation in written.evaluations.items()
    }
    found["title"] = written.title or written.study
    return choices.resolved(written.model_copy(update=found), where, (), problems)


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
            )
        points = kept
    if not points and not problems:
        problems.append(f"{where.place(('matrix',))}: the matrix is empty: no runs are left")
    return points, problems


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
                "autoencoder", own, self.where, ("autoencoder",), self.problems, point
            )
        return self.known[key]  # type: ignore[no-any-return]


def _runs(
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
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    conflicts: dict[tuple[str, ...], list[str]] = {}
    for point in points:
        changes: dict[str, dict[str, Any]] = {name: {} for name in (*names, "objective")}
        seed = settings.seed
        fields = list(_fields(point))
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
    return runs


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
