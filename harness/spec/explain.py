"""The mistakes of a study in sentences: place, field, value found, what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from harness.components import descriptions
from harness.nearest import did_you_mean
from harness.spec import scalars
from harness.spec.base import LARGEST, NAME
from harness.spec.schema import StudySettings
from harness.spec.source import ODD_SPACE, Path_, Source, odd_space


def place_of(where: Source, path: Path_, point: Mapping[str, Any] | None = None) -> str:
    """File and line of a field; of the axis that set it, in a run of the matrix."""
    axis = ".".join(map(str, path))
    for name in point or ():
        if name == axis or axis.startswith(f"{name}.") or name.startswith(f"{axis}."):
            return str(where.place(("matrix", "axes", name)))
    return str(where.place(path))


def explain(
    error: ValidationError,
    where: Source,
    prefix: Path_ = (),
    point: Mapping[str, Any] | None = None,
    own: Sequence[str] | None = None,
) -> list[str]:
    """What is wrong, one line each. own: the fields allowed right below `prefix`, where the study's
    schema does not say (a component's settings)."""
    lines: list[str] = []
    reported: set[Path_] = set()
    items = [(_path(item["loc"], prefix, where), item) for item in error.errors(include_url=False)]
    for path, item in items:
        if path in reported and item["type"] not in ("extra_forbidden", "missing"):
            continue  # the branches of one union, reported once
        alternative = item["type"].endswith("_type") or (
            item["type"] == "literal_error" and isinstance(item.get("input"), (tuple, Mapping))
        )
        if alternative and any(
            len(other) > len(path) and other[: len(path)] == path for other, _ in items
        ):
            continue  # another branch fits better: it says what is wrong inside
        reported.add(path)
        axis = ".".join(map(str, path))
        listed = any(p == path and i["type"] == "tuple_type" and i is not item for p, i in items)
        sentence = _sentence(item, axis or "the study", prefix, own, listed)
        if item["type"] == "tuple_type" and axis in (point or {}):
            sentence = _of_an_axis(axis, where) or sentence
        place = where.place(path)
        for name in point or ():
            if name == axis or name in sentence:
                place = where.place(("matrix", "axes", name))
        run = f" (in the run {show(point)})" if point else ""
        meaning = "" if item["type"] in SAID else meaning_of(axis)
        lines.append(f"{place}: {sentence}{run}" + (f" [{meaning}]" if meaning else ""))
    return lines


def without_repeats(problems: Iterable[str]) -> list[str]:
    """Each problem once: what is wrong in the same way in several runs names the first of them."""
    found: dict[tuple[str, str], list[str]] = {}
    for problem in dict.fromkeys(problems):
        parts = IN_A_RUN.fullmatch(problem)
        said = (parts[1], parts[3] or "") if parts else (problem, "")
        found.setdefault(said, []).append(parts[2] if parts else "")
    lines = []
    for (before, after), runs in found.items():
        several = f", and {len(runs) - 1:,} more" if len(runs) > 1 else ""
        lines.append(f"{before} (in the run {runs[0]}{several}){after}" if runs[0] else before)
    return lines


IN_A_RUN = re.compile(r"(.+?) \(in the run (.+?)\)( \[.*\])?")
RANGE = re.compile(
    r"\s*(\d{1,9})\s*(?:\.{2,3}|-|\u2013|\u2026|to)\s*(\d{1,9})\s*"
)  # 0..3, as many write it
LIMITS = {  # kinds of error -> what pydantic calls the limit
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
}
SAID = ("extra_forbidden", "value_error")  # errors whose own text says what is allowed, and why
BRANCHES = {"int", "float", "str", "bool", "literal", "constrained-int", "constrained-str"}


def _path(given: Iterable[Any], prefix: Path_, where: Source) -> Path_:
    """Where in the file: Pydantic's path names union branches too ("int", "GuidanceSettings")."""
    path = prefix
    for part in given:
        branch = str(part) in BRANCHES or str(part).endswith("Settings")
        branch = branch or any(c in str(part) for c in "[](),")
        if isinstance(part, int) or not branch or (*path, part) in where.places:
            path = (*path, part)
    return path


def _sentence(
    item: Any, dotted: str, prefix: Path_, own: Sequence[str] | None, listed: bool
) -> str:
    """One mistake. listed: would a list be right too?"""
    kind, found = item["type"], item.get("input")
    if kind == "extra_forbidden":
        leaf = dotted.split(".")[-1]
        if item["loc"][-1] == "":
            return "a field has no name"
        if leaf.isdigit() and found is None:
            return (
                f"{leaf!r} is not a field: a comma ends the value before it; a number has no "
                "commas, write 1_000 or 1000"
            )
        if odd := ODD_SPACE.search(leaf):
            return f"{leaf!r} is not a field: {odd_space(odd[0])}"
        parent = dotted.rpartition(".")[0]
        below = own is not None and parent == ".".join(map(str, prefix))
        allowed = list(own or ()) if below else fields_of(parent)
        return f"unknown field {dotted!r}{did_you_mean(leaf, allowed)}" + (
            f"; allowed: {', '.join(allowed)}" if allowed else ""
        )
    if kind == "missing":
        parent, _, last = dotted.rpartition(".")
        if last.isdigit() and (length := _length(parent)) is not None:
            return f"{parent} is a list of {length}, and {len(found)} are given"
        return f"{dotted} is missing"
    if kind == "value_error":
        said = str(item["ctx"]["error"])
        return said if dotted.split(".")[0] in said else f"{dotted}: {said}"
    message = WORDS.get(kind, item["msg"].removeprefix("Input should be "))
    message = message.format(**item.get("ctx", {})) if kind in WORDS else message
    message += ", or a list" if listed else ""
    if kind == "literal_error":
        allowed = _quoted(message.removesuffix(", or a list"))
        near = did_you_mean(str(found), allowed) if isinstance(found, str) else ""
        hint = _hint(found) if any(c.isdigit() for c in message) else ""
        return f"{dotted} is {_found(found)}{near}; allowed: {message}{hint}"
    message = message[0].lower() + message[1:]
    if kind in LIMITS and 0 < abs(limit := item["ctx"][LIMITS[kind]]) < 1e-3:
        message = f"{message.rpartition(' ')[0]} {limit:g}"  # and not 0.000000000001
    if kind == "int_type" and isinstance(found, float) and found.is_integer():
        message += f": write {int(found)}" if abs(found) <= LARGEST else ", of 64 bits"
    if kind in ("int_type", "float_type", "bool_type"):
        message += _hint(found, boolean=kind == "bool_type")
    if kind == "bool_type" and type(found) is int and found in (0, 1):
        message += f": write {str(bool(found)).lower()}"
    if kind == "tuple_type" and isinstance(found, (str, int, float)):
        message += _as_list(found, dotted)
    if kind == "string_type" and isinstance(found, (bool, int, float)):
        message += ": put it in quotes"
    if kind == "string_pattern_mismatch" and item["ctx"]["pattern"] == NAME:
        message = "letters, digits, '.', '_' and '-', the first a letter or a digit"
    if found is None:
        return f"{dotted} is null; it should be {message}{_instead_of_null(dotted, kind)}"
    return f"{dotted} is {_found(found)} ({_type(found)}); it should be {message}"


def _of_an_axis(axis: str, where: Source) -> str | None:
    """What is wrong with an axis of single values whose field is a list; None: something else is.

    --set matrix.axes.train.betas=[0.9,0.99] is two runs, of one number each.
    """
    matrix = where.data.get("matrix")
    axes = matrix.get("axes") if isinstance(matrix, Mapping) else None
    values = axes.get(axis) if isinstance(axes, Mapping) else None
    if not isinstance(values, tuple) or any(isinstance(v, (tuple, Mapping)) for v in values):
        return None
    return (
        f"matrix.axes.{axis} is {written(values)}: each of an axis' values is one run's, and "
        f"{axis} is a list: write {written((values,))} for one run of it"
    )


def _instead_of_null(dotted: str, kind: str) -> str:
    """What to write where null is no value: how it is left out, or what is none of it."""
    if dotted in NO_NULL:
        return f": {NO_NULL[dotted]}"
    default = _default(dotted)
    if default is None:
        return ""
    if default == () and kind == "tuple_type":
        return ": write [] for none"
    simple = isinstance(default, (str, int, float, tuple)) and default != ""
    shown = f", which is {written(default)}" if simple else ""
    return f": leave it out for its default{shown}"


# Where null would be a way to say "none of these".
NO_NULL = {
    "matrix": "drop its axes, as --set matrix.axes.AXIS=null, and its points, with "
    "--set 'matrix.include=[]'; in a file, leave it out",
    "matrix.axes": "drop each axis, as --set matrix.axes.AXIS=null; in a file, leave them out",
    "evaluations": "drop each, as --set evaluations.NAME=null; in a file, leave them out",
}


def _as_list(found: Any, dotted: str) -> str:
    """How a single value is written as the list that the field is; of a pair it may be a part."""
    items, length = _items(found), _length(dotted)
    if length is None or ", " in items:
        return f": write [{items}]"
    default = _default(dotted)
    return f" of {length}" + (f", as {written(default)}" if isinstance(default, tuple) else "")


def _default(dotted: str) -> Any:
    """A field's default; None where it has none."""
    field = _field(dotted)
    if field is None or field.is_required():
        return None
    return field.get_default(call_default_factory=True)


def _length(dotted: str) -> int | None:
    """How many values a field's list has, where that is fixed: betas have two."""
    field = _field(dotted)
    if field is None:
        return None
    for kind in (field.annotation, *get_args(field.annotation)):
        if get_origin(kind) is tuple and Ellipsis not in get_args(kind):
            return len(get_args(kind))
    return None


def _items(found: Any) -> str:
    """What a value becomes within a list: the numbers of "0.9, 0.99" are two of them."""
    parts = [part.strip() for part in found.split(",")] if isinstance(found, str) else []
    if len(parts) > 1 and all(scalars.INTEGER.match(p) or scalars.FLOAT.match(p) for p in parts):
        return ", ".join(parts)
    if isinstance(found, str) and (ends := RANGE.fullmatch(found)):
        first, last = int(ends[1]), int(ends[2])
        if 0 <= last - first < 100:
            return ", ".join(map(str, range(first, last + 1)))
    return json.dumps(found, ensure_ascii=False)


def shown(value: Any) -> str:
    """A value that is no number, and what to write instead where it looks like one."""
    return f"{_found(value)}{_hint(value)}"


def _hint(found: Any, boolean: bool = False) -> str:
    """A proposal to write instead of a text that looks like a number or a boolean."""
    hint = scalars.instead_of(found, boolean) if isinstance(found, str) else None
    return f": {hint}" if hint else ""


WORDS = {  # where Pydantic's speak of Python
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "too_long": "a list of at most {max_length}, not {actual_length}",
    "too_short": "a list of at least {min_length}, not {actual_length}",
    "string_too_long": "text of at most {max_length} characters",
    "string_too_short": "text of at least {min_length} characters",
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_pattern_mismatch": "text that matches {pattern}",
}


def _found(value: Any) -> str:
    """A value as a study writes it, cut where it is long."""
    contains = isinstance(value, (Mapping, tuple, list))
    plain = value is None or isinstance(value, bool)  # null, true
    text = json.dumps(value, default=str, ensure_ascii=False) if contains or plain else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def fields_of(dotted: str) -> list[str]:
    """The field names allowed below a dotted path ("" is the study itself)."""
    kind: Any = StudySettings
    for part in dotted.split(".") if dotted else []:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = _model_in(kind.model_fields[part].annotation)
        elif not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        # else: a mapping's own key (an evaluation's name), same type below
    return list(kind.model_fields) if kind is not None else []


def meaning_of(dotted: str) -> str:
    """The description of a field of the study, or of the one that an item of a list is of.

    >>> meaning_of("train.milestones.2")
    'Steps whose EMA weights are kept for evaluation.'
    """
    field = _field(dotted)
    return "" if field is None else field.description or ""


def _field(dotted: str) -> FieldInfo | None:
    """A field of the study's schema, or the one that an item of a list is of."""
    kind: Any = StudySettings
    found = None
    for part in dotted.split("."):
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            break
        if part in kind.model_fields:
            found = descriptions.described(kind).model_fields[part]
            kind = _model_in(found.annotation)
    return found


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def _quoted(message: str) -> list[str]:
    return message.replace(" or ", ", ").replace("'", "").split(", ")


def _type(value: Any) -> str:
    names = {bool: "a boolean", int: "a whole number", float: "a number", str: "text"}
    names.update({type(None): "null", tuple: "a list", list: "a list", dict: "a mapping"})
    return names.get(type(value), type(value).__name__)


def show(point: Mapping[str, Any]) -> str:
    """A point of the matrix in words: "seed=1, model.size=S"."""
    return ", ".join(f"{k}={written(v)}" for k, v in point.items()) or "of the study's own settings"


def written(value: Any) -> str:
    """A value in one line as a study writes it, and not as Python does.

    >>> written({"name": "wsd", "decay": None}), written((True, 1e-3))
    ('{name: wsd, decay: null}', '[true, 0.001]')
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {written(v)}' for k, v in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(written, value))}]"
    return str(value)
