"""What a `--set` may not do: nothing at all, without a word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.spec.source import Line, Source
from harness.spec.source import override as apply

AXES = ("matrix", "axes")
MOST_TRIED = 8  # overrides, each of which is left out once to find whose a problem is


def idle(overrides: Iterable[str], before: Source, merged: Source) -> list[str]:
    """The overrides that change no run: a field whose axis decides, an axis that is not there.

    before: the study with its profile; merged: with the overrides too.
    """
    axes = _axes(merged)
    decided = {
        field: axis
        for axis, values in axes.items()
        if values is not None
        for field in _fields(axis, values)
    }
    partial = _include(merged)
    problems = []
    for override in overrides:
        field, _, text = override.partition("=")
        field = field.strip()
        for given in _leaves(override):
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
        dropped = field.removeprefix("matrix.axes.")
        if dropped != field and text.strip() in ("null", "~", "") and dropped not in _axes(before):
            there = ", ".join(_axes(before)) or "none"
            problems.append(
                f"--set {override}: there is no axis {dropped!r} to drop; axes: {there}"
            )
    return problems


def blamed(
    problems: list[str], overrides: tuple[str, ...], without: Callable[[str], list[str]]
) -> list[str]:
    """Problems that a --set made, told of it and not of the file's line that it disagrees with.

    without: what is wrong with the study when one of them is left out. A problem is the option's
    when it goes with it, and nothing else comes instead.
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
    """What an axis sets: itself, or the fields that all its mappings give (model: {size: S})."""
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
