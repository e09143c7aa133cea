"""From a YAML file to a `Study`: merge, check everything, expand the matrix.

All errors are collected and raised at once, each with its file, line, field, the value found and
what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.components import files, standin
from harness.components.files import File
from harness.errors import BadInput, another_type
from harness.nearest import did_you_mean
from harness.spec import choices, overriding, requires, shipped, site
from harness.spec import source as yaml_source
from harness.spec.checks import cross_checks
from harness.spec.dispatching import DispatchSettings
from harness.spec.explain import explain, without_repeats
from harness.spec.matrix import points_of, runs_of
from harness.spec.run import Run
from harness.spec.schema import (
    DataSettings,
    EvaluationSettings,
    ReferenceSettings,
    ReportSettings,
    StudySettings,
    TrainSettings,
)
from harness.spec.source import Source
from harness.version import __version__


class BadStudy(BadInput):
    """The study cannot be used; the message lists every reason, one a line."""


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
        """The study's name, as its file says."""
        return self.settings.study

    @property
    def evaluations(self) -> dict[str, EvaluationSettings]:
        """Its evaluations by name, without those that a profile removed."""
        return {n: e for n, e in self.settings.evaluations.items() if e is not None}

    @property
    def drawing_alike(self) -> list[str]:
        """The names of the evaluations whose samples are of all classes alike."""
        return [n for n, e in self.evaluations.items() if e.labels == "uniform"]

    @property
    def references(self) -> dict[str, ReferenceSettings]:
        """What samples are compared with, by the field that says so: `reference`, then those of
        evaluations that have their own."""
        return self.settings.references

    def reference_of(self, evaluation: str | None) -> ReferenceSettings | None:
        """The reference of an evaluation: its own, else the study's. None names the study's."""
        its = self.evaluations.get(evaluation or "")
        if its is not None and its.reference is not None:
            return its.reference
        return self.settings.reference


def profiles(path: str | Path) -> list[str]:
    """The names of a study's profiles."""
    found = yaml_source.read(shipped.find(path)).data.get("profiles") or {}
    return list(found) if isinstance(found, Mapping) else []


def load_study(
    path: str | Path,
    profile: str | None = None,
    overrides: Iterable[str] = (),
    text: str | None = None,
) -> Study:
    """Read, merge, check and expand a study: a YAML file, or the name of one that ships with us.

    `overrides` are "a.b=value" texts laid over the profile; `text` is the file's content, where it
    is kept elsewhere. Errors: BadStudy (or BadInput while the file cannot be parsed) listing
    everything that is wrong.
    """
    if not isinstance(path, (str, Path)):
        raise another_type("the study", path, "the path of a YAML file, or the name of a study")
    path = shipped.find(path) if text is None else Path(path)
    overrides = _texts(overrides)

    def without(override: str | None) -> list[str]:
        """The mistakes of the study when one override is left out, or (None) all of them."""
        left = tuple(o for o in overrides if override is not None and o != override)
        try:
            _load(path, profile, left, text)
        except BadInput as error:
            return str(error).splitlines()
        return []

    try:
        return standin.or_with_torch(lambda: _load(path, profile, overrides, text))
    except BadInput as error:  # of a component too, which knows nothing of files
        text = "\n".join(overriding.blamed(str(error).splitlines(), overrides, without))
        named = str(path) in text or "--set" in text
        raise BadStudy(text if named else f"{path}: {text}") from error


def _texts(overrides: Iterable[str]) -> tuple[str, ...]:
    """The overrides. Raises BadInput for what is no list of texts: one text, a dict, numbers."""
    if isinstance(overrides, Iterable) and not isinstance(overrides, (str, bytes, Mapping)):
        found = tuple(overrides)
        if all(isinstance(each, str) for each in found):
            return found
    raise another_type("overrides", overrides, 'a list of texts, as ["train.steps=500"]')


def _load(path: Path, profile: str | None, overrides: tuple[str, ...], text: str | None) -> Study:
    given = yaml_source.read(path) if text is None else yaml_source.parse(text, str(path))
    base = site.beneath(given)
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
        raise BadStudy("\n".join(without_repeats(found))) from None
    problems = overriding.idle(overrides, before, merged)
    settings = _with_components(written, merged, problems)
    points, more = points_of(written, merged)
    problems += more
    runs = runs_of(written, settings, points, merged, problems)
    if problems:  # whether parts fit together is asked only of parts that are valid
        raise BadStudy("\n".join(without_repeats(problems)))
    problems = cross_checks(settings, runs, merged)
    if problems:
        raise BadStudy("\n".join(without_repeats(problems)))
    return Study(path, chosen, settings, tuple(runs), overrides, brought)


def as_written(
    text: str, file: str, profile: str, overrides: Iterable[str] = ()
) -> Mapping[str, Any]:
    """What a study says under a profile, nothing of it checked. Raises BadInput."""
    _, merged = _with_profile(yaml_source.parse(text, file), profile, file)
    for assignment in overrides:
        merged = yaml_source.override(merged, assignment)
    return merged.data


@dataclass(frozen=True)
class Unread:
    """A study that was checked without running its component files."""

    profile: str
    problems: tuple[str, ...]


def check_without_components(
    path: str | Path, profile: str | None = None, overrides: Iterable[str] = ()
) -> Unread | None:
    """The mistakes of a study, as far as they show without running code of its own.

    None where it lists no component files: then it can be loaded. Names that only its files may
    bring, and what depends on them, are not checked. Raises BadInput where it cannot be parsed.
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
    """The mistakes in the components of a study that is wrong elsewhere too."""
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
        if isinstance(given, Mapping):
            own = given.get("reference")
            found += choices.unchecked(ReferenceSettings, own, where, (*path, "reference"))
    return found


def _with_components(written: StudySettings, where: Source, problems: list[str]) -> StudySettings:
    """The settings with components in the place of their names."""

    def of(section: Any, *path: str) -> Any:
        return section and choices.resolved(section, where, path, problems)

    sections = ("data", "train", "reference", "report", "dispatch")
    found = {name: of(getattr(written, name), name) for name in sections}
    found["evaluations"] = evaluations = {}
    for name, evaluation in written.evaluations.items():
        evaluations[name] = of(evaluation, "evaluations", name)
        if evaluation is not None and evaluation.reference is not None:
            own = of(evaluation.reference, "evaluations", name, "reference")
            evaluations[name] = evaluations[name].model_copy(update={"reference": own})
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
        near = did_you_mean(str(chosen), declared)
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


__all__ = [
    "BadStudy",
    "Run",
    "Study",
    "Unread",
    "as_written",
    "check_without_components",
    "load_study",
    "profiles",
]
