"""Refuses a `--set` that would have no effect, which its user would not notice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.nearest import did_you_mean
from harness.spec.fields import component_fields
from harness.spec.source import Line, Source
from harness.spec.source import override as apply

AXES = ("matrix", "axes")
MOST_TRIED = 8  # overrides, each of which is left out once to find whose a problem is


def idle(overrides: Iterable[str], before: Source, merged: Source) -> list[str]:
    """The overrides that change no run: a field whose axis decides, an axis that is not there.

    before: the study with its profile; merged: with the overrides too.
    """
    axes = {axis: values for axis, values in _axes(merged).items() if values is not None}
    decided = {field: axis for axis, values in axes.items() for field in _fields(axis, values)}
    decided |= {f"{axis}.name": axis for axis in axes if _names_components(axis)}
    partial = _include(merged)
    problems = []
    known: set[str] = set(_mapping(before, "evaluations"))
    for override in overrides:
        field, _, text = override.partition("=")
        field = field.strip()
        for given in _leaves(override):
            if partial and not axes and not any(_leaves_open(p, given) for p in partial):
                problems.append(
                    f"--set {override}: changes nothing: every run has its {given} from a point of "
                    "matrix.include. Give all points, as --set 'matrix.include=[{...}, ...]'"
                )
            problems += _nameless(override, given, axes, merged)
            axis = decided.get(given)
            if axis is None or any(_leaves_open(point, given) for point in partial):
                continue
            problems.append(
                f"--set {override}: changes nothing: every run has its {given} from the matrix's "
                f"axis {axis!r}. Give the axis, as --set 'matrix.axes.{axis}=[...]', or drop it "
                f"as well, with --set matrix.axes.{axis}=null"
            )
        if field == ".".join(AXES) and not _gives_an_axis(text):
            problems.append(
                f"--set {override}: changes nothing: it is laid over the axes that are there "
                f"({', '.join(axes) or 'none'}); --set matrix.axes.AXIS=null drops one"
            )
        problems += _empty(override, before) + _another_evaluation(override, before, known)
        dropped = field.removeprefix("matrix.axes.")
        if dropped != field and text.strip() in ("null", "~", "") and dropped not in _axes(before):
            there = ", ".join(_axes(before)) or "none"
            problems.append(
                f"--set {override}: there is no axis {dropped!r} to drop; axes: {there}"
            )
    return problems


def _names_components(axis: str) -> bool:
    """Does an axis name components, as objective and train.schedule do?"""
    return axis.rpartition(".")[2] in component_fields()


def _nameless(override: str, given: str, axes: Mapping[str, Any], merged: Source) -> list[str]:
    """A setting of a component that an axis names, where the study itself names none."""
    axis = next((a for a in axes if given.startswith(f"{a}.") and _names_components(a)), None)
    if axis is None or given == f"{axis}.name":
        return []
    own = _at(merged.data, axis)
    if not isinstance(own, Mapping) or "name" in own:
        return []
    setting = given.removeprefix(f"{axis}.")
    return [
        f"--set {override}: every run has its {axis} from the matrix's axis {axis!r}: give the "
        f"setting there, as --set 'matrix.axes.{axis}=[{{name: ..., {setting}: ...}}, ...]', or "
        f"drop the axis, with --set matrix.axes.{axis}=null, and give a name, as --set "
        f"{axis}.name=..."
    ]


def _at(value: Any, dotted: str) -> Any:
    """What a mapping holds at a dotted path; None where it holds nothing."""
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _empty(override: str, before: Source) -> list[str]:
    """An empty mapping laid over one with content."""
    field = override.partition("=")[0]
    value = _at(before.data, field.strip())
    if field.strip() == ".".join(AXES) or not isinstance(value, Mapping) or not value:
        return []
    if _inner(override) != {}:
        return []
    return [
        f"--set {override}: changes nothing: an empty mapping is laid over the one that is there "
        f"({', '.join(map(str, value))}); set its fields one by one"
    ]


def _inner(override: str) -> Any:
    """The value that it gives."""
    field = override.partition("=")[0].strip()
    return _at(apply(Source({}, {(): Line("")}), override).data, field)


def _another_evaluation(override: str, before: Source, known: set[str]) -> list[str]:
    """The field of an evaluation that does not exist: the override would create a second one.

    known: the evaluations that exist; one that is given whole is added to them.
    """
    first, *rest = override.partition("=")[0].strip().split(".")
    if first != "evaluations" or not rest:
        return []
    if len(rest) == 1:
        known.add(rest[0])
    if rest[0] in known:
        return []
    near = did_you_mean(rest[0], known)
    return [
        f"--set {override}: there is no evaluation {rest[0]!r}{near}; there "
        f"are: {', '.join(sorted(known)) or 'none'} (another one is added whole, as --set "
        f"'evaluations.{rest[0]}={{...}}')"
    ]


def _mapping(source: Source, field: str) -> Mapping[str, Any]:
    value = source.data.get(field)
    return value if isinstance(value, Mapping) else {}


def said_of(study: Any, field: str) -> str:
    """Where a field of a checked study was given: the --set that did, else the study's file."""
    for override in reversed(study.overrides):
        if field in _leaves(override):
            return f"--set {override}"
    return str(study.path)


def said_in(study: Any, sentence: str) -> str:
    """The --set whose field a sentence about a checked study names, else the study's file."""
    for override in reversed(study.overrides):
        if any(
            re.search(rf"(?<![\w.]){re.escape(f)}(?![\w.])", sentence) for f in _leaves(override)
        ):
            return f"--set {override}"
    return str(study.path)


def blamed(
    problems: list[str], overrides: tuple[str, ...], without: Callable[[str | None], list[str]]
) -> list[str]:
    """Problems that a --set caused, reported at it and not at the file's line that it disagrees
    with.

    without: what is wrong with the study when one of them is left out, or (None) all are. A problem
    is an option's when it disappears without the option and no other takes its place. Otherwise it
    is all options' when it disappears without all of them.
    """
    if len(overrides) > MOST_TRIED:
        return problems
    out = list(problems)
    for override in overrides:
        rest = without(override)
        if not set(rest) <= set(problems):
            continue
        for i, problem in enumerate(problems):
            at_line = re.match(r"^.+?:\d+: ", problem)
            if problem not in rest and at_line and not problem.startswith("--set"):
                out[i] = f"--set {override}: {problem[at_line.end() :]}"
    together = [i for i, problem in enumerate(out) if problem == problems[i]]
    if len(overrides) > 1 and together:  # what two of them cause together
        rest = without(None)
        for i in together:
            at_line = re.match(r"^.+?:\d+: ", out[i])
            if problems[i] not in rest and at_line and not out[i].startswith("--set"):
                all_of_them = " ".join(f"--set {override}" for override in overrides)
                out[i] = f"{all_of_them}: {out[i][at_line.end() :]}"
    return out


def _leaves(override: str) -> list[str]:
    """The fields it gives a value: model.size of model.size=XL, and of model={size: XL}."""
    empty = Source({}, {(): Line("")})
    found: list[str] = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, Mapping) and value:
            for name, part in value.items():
                walk(part, f"{path}.{name}" if path else str(name))
        else:
            found.append(path)

    walk(apply(empty, override).data, "")
    return found


def _axes(source: Source) -> Mapping[str, Any]:
    matrix = source.data.get("matrix")
    axes = matrix.get("axes") if isinstance(matrix, Mapping) else None
    return axes if isinstance(axes, Mapping) else {}


def _include(source: Source) -> list[Mapping[str, Any]]:
    matrix = source.data.get("matrix")
    given = matrix.get("include") if isinstance(matrix, Mapping) else None
    return [p for p in given if isinstance(p, Mapping)] if isinstance(given, tuple) else []


def _fields(axis: str, values: Any) -> list[str]:
    """The fields that an axis sets: itself, or those of all its mappings (model: {size: S})."""
    mappings = [v for v in values if isinstance(v, Mapping)] if isinstance(values, tuple) else []
    if not mappings or len(mappings) < len(values):
        return [axis]
    common = set(mappings[0]).intersection(*mappings[1:])
    return [f"{axis}.{field}" for field in common]


def _leaves_open(point: Mapping[str, Any], field: str) -> bool:
    """Is a field of this `include` point the study's own?"""
    given = {f for axis, value in point.items() for f in _fields(axis, (value,))}
    return field not in given


def _gives_an_axis(text: str) -> bool:
    """Does the text of an override of all axes give one at least?"""
    return bool(re.search(r"[^\s{}~]", text.replace("null", "")))
