"""`explain`: what a setting of a study means, its type, default and whether it moves keys.

The words are the schema's own (harness.spec.schema): editors show the same through `schema`, and
the reference page is made of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from harness.components import registry
from harness.components.descriptions import described
from harness.errors import BadInput
from harness.nearest import did_you_mean
from harness.spec.fields import fields
from harness.spec.model import ModelFields
from harness.spec.schema import NotInKey, StudySettings

# Sections of which no field is in a key, as their own text says.
OUTSIDE_KEYS = (
    "about",
    "baselines",
    "components",
    "dispatch",
    "profile",
    "profiles",
    "report",
    "study",
    "title",
)
Inner = tuple[str, Any]  # ("section", class), ("choice", kind of component), ("model", None)


@dataclass(frozen=True)
class Setting:
    """One field of a study."""

    path: str  # dotted; NAME stands for a name of the user's
    allowed: str  # its type and limits, in words
    default: str | None  # as a study writes it; None: it must be given; "" for a component
    about: str  # what it means; "" where the schema does not say
    in_key: bool  # does another value make other stages?
    inner: Inner | None = None  # what is below it

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "field",
        metavar="FIELD",
        nargs="*",
        help="a setting such as data.path or evaluations.final.samples (default: the whole study)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    found = [settings_of(field) for field in args.field] or [[*children("", StudySettings)]]
    if args.json:
        rows = [_plain(setting) for settings in found for setting in settings]
        print(json.dumps(rows, indent=1))
        return 0
    width = min(100, shutil.get_terminal_size().columns)
    print("\n\n".join(as_text(settings, width) for settings in found))
    return 0


def settings_of(dotted: str) -> list[Setting]:
    """The setting at a dotted path, and those directly below it. Raises BadInput: there is none."""
    parts = [part for part in dotted.split(".") if part]
    if parts[:1] == ["profiles"] and len(parts) > 2:
        parts = parts[2:]  # a profile is a partial study
    inner: Inner | None = ("section", StudySettings)
    found: Setting | None = None
    path = ""
    for part in parts:
        if inner is None:
            raise BadInput(
                f"{path} has no fields of its own: it is {found.allowed if found else ''}"
            )
        if part in (fields := {s.name: s for s in below(path, inner)}):
            found = fields[part]
            path, inner = found.path, found.inner
        elif found is not None and found.path == path and "a mapping of" in found.allowed:
            path = f"{path}.NAME"  # a name of the user's: the fields below are the same
        else:
            place = f" below {path}" if path else " at the top of a study"
            near = did_you_mean(part, fields)
            raise BadInput(f"no setting {part!r}{place}{near}; there are: {', '.join(fields)}")
    if found is None:
        raise BadInput(f"{dotted!r} names no setting; `python -m harness explain` lists them")
    return [found, *(below(found.path, found.inner) if found.inner else ())]


def below(path: str, inner: Inner) -> Iterator[Setting]:
    """The settings directly below a path."""
    what, of = inner
    if what == "section":
        yield from children(path, of)
    elif what == "choice":
        for name in registry.names(of):
            word = registry.word(of)
            said = f"{'an' if word[0] in 'aeio' else 'a'} {word}"
            try:
                cls = registry.get(of, name)
            except ImportError:  # named in a table, and its module is not there
                yield Setting(f"{path}.{name}", said, "", "not installed", True)
                continue
            own = ("section", cls) if cls.model_fields else None
            yield Setting(f"{path}.{name}", said, "", cls.about(), True, own)
    else:
        yield from _of_the_model(path)


def _of_the_model(path: str) -> Iterator[Setting]:
    """The fields of every model's section, then those of the families."""
    yield from children(path, ModelFields)
    said = set(ModelFields.model_fields)
    for family in registry.names("family"):
        for setting in children(path, registry.get("family", family)):
            if setting.name not in said:
                said.add(setting.name)
                yield setting


def children(path: str, section: type[BaseModel]) -> Iterator[Setting]:
    """The settings of a section or component, in the schema's order."""
    marked: Any = section  # a component has no choices, and is asked all the same
    chosen = {name: (kind, several) for name, kind, several in fields(marked)}
    for name, info in described(section).model_fields.items():
        dotted = f"{path}.{name}" if path else name
        marks = [m if isinstance(m, type) else type(m) for m in info.metadata]
        outside = dotted.split(".")[0] in OUTSIDE_KEYS or NotInKey in marks
        inner: Inner | None = None
        if dotted == "model":
            allowed, inner = "a mapping", ("model", None)
        elif name in chosen:
            kind, several = chosen[name]
            inner = ("choice", kind)
            known = ", ".join(registry.names(kind))
            article = "a list of: " if several else ""
            allowed = f"{article}{known}; or {{name: ..., and its settings}}"
        else:
            allowed = type_in_words(info.annotation, info.metadata)
            if (its := _section_in(info.annotation)) is not None:
                inner = ("section", its)
        about = " ".join((info.description or "").split())
        if not about and inner is not None and inner[0] == "section":
            about = _first(inner[1])
        yield Setting(dotted, allowed, _default(info), about, not outside, inner)


def every_setting(path: str = "", inner: Inner = ("section", StudySettings)) -> Iterator[Setting]:
    """All settings of a study, each followed by those below it; of components the names alone."""
    for setting in below(path, inner):
        yield setting
        if setting.inner is not None and setting.inner[0] != "choice":
            named = "a mapping of" in setting.allowed
            yield from every_setting(f"{setting.path}{'.NAME' if named else ''}", setting.inner)


def as_text(settings: list[Setting], width: int = 100) -> str:
    """A setting in full with those below it in short; several of the top in short."""
    lines: list[str] = []
    rest = settings
    if settings and (len(settings) == 1 or settings[1].path.startswith(settings[0].path + ".")):
        first, rest = settings[0], settings[1:]
        lines.append(first.path)
        lines += textwrap.wrap(first.about, width, initial_indent="  ", subsequent_indent="  ")
        default = "; must be given" if first.default is None else ""
        default = f"; default {first.default}" if first.default else default
        lines += textwrap.wrap(
            f"{first.allowed}{default}", width, initial_indent="  ", subsequent_indent="  "
        )
        lines.append(
            "  part of the keys: another value makes other stages"
            if first.in_key
            else "  in no key: another value computes nothing again"
        )
        if rest:
            lines.append("")
    longest = max((len(s.name) for s in rest), default=0)
    for setting in rest:
        default = f" (default {setting.default})" if setting.default else ""
        text = f"{setting.about or setting.allowed}{default}"
        lines += textwrap.wrap(
            text,
            width,
            initial_indent=f"  {setting.name:<{longest}}  ",
            subsequent_indent=" " * (longest + 4),
        )
    return "\n".join(lines)


def type_in_words(annotation: Any, metadata: Any = ()) -> str:
    """A type as a person would say it: "a whole number above 0, or null"."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_in_words(arguments[0], arguments[1:])
    if origin is Literal:
        return "one of " + ", ".join(str(a) for a in arguments) if arguments[1:] else arguments[0]
    if origin in (Union, types.UnionType):
        said = [type_in_words(a, metadata) for a in arguments if a is not type(None)]
        return ", or ".join([*said, "null"] if type(None) in arguments else said)
    if origin in (tuple, list):
        if arguments[1:] in ((...,), ()):
            return f"a list of {_plural(type_in_words(arguments[0]))}"
        return f"a list of {len(arguments)}: {'; '.join(type_in_words(a) for a in arguments)}"
    if origin is dict:
        return f"a mapping of {type_in_words(arguments[0])} to {type_in_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a mapping"
    named = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return named.get(annotation, "anything") + _bounds(metadata)


def _plural(said: str) -> str:
    for one, many in (("a whole number", "whole numbers"), ("a number", "numbers")):
        if said.startswith(one):
            return many + said.removeprefix(one)
    return "mappings" if said == "a mapping" else said


def _bounds(metadata: Any) -> str:
    """The limits that a field's annotations give: " above 0", " from 0 to 1"."""
    found: dict[str, Any] = {}
    for mark in metadata:
        for each in getattr(mark, "metadata", None) or [mark]:  # pydantic's Field keeps a list
            for bound in ("gt", "ge", "lt", "le"):
                if (value := getattr(each, bound, None)) is not None:
                    found[bound] = value
    if found.get("le") == 2**63 - 1:  # 64 bits: no limit that a person meets
        del found["le"]
    if "ge" in found and "le" in found:
        return f" from {found['ge']:g} to {found['le']:g}"
    terms = (("gt", "above"), ("ge", "of at least"), ("lt", "below"), ("le", "of at most"))
    said = [f"{word} {found[bound]:g}" for bound, word in terms if bound in found]
    return f" {' and '.join(said)}" if said else ""


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (found := _section_in(argument)) is not None:
            return found
    return None


def _default(info: FieldInfo) -> str | None:
    if info.is_required():
        return None
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return None
    if isinstance(value, BaseModel):
        return "its fields' defaults"
    if isinstance(value, str):
        return value or '""'
    return json.dumps(value, default=str)


def _first(section: type[BaseModel]) -> str:
    """The first paragraph of a section's text, on one line."""
    return " ".join((section.__doc__ or "").strip().split("\n\n")[0].split())


def _plain(setting: Setting) -> dict[str, Any]:
    return {
        "field": setting.path,
        "type": setting.allowed,
        "default": setting.default,
        "about": setting.about,
        "in_key": setting.in_key,
    }
