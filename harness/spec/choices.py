"""From the names and mappings in a study to the components that they stand for.

A field marked `Choice` holds a name ("ddim") or a mapping ({name: ddim, eta: 0.5}). Here each is
looked up in the registry, and its settings are validated with file and line like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.components import registry
from harness.components.base import Component
from harness.errors import BadInput
from harness.spec.base import Settings
from harness.spec.explain import explain, place_of
from harness.spec.fields import fields
from harness.spec.source import Path_, Source

S = TypeVar("S", bound=Settings)


def resolved(
    section: S,
    where: Source,
    prefix: Path_,
    problems: list[str],
    point: Mapping[str, Any] | None = None,
    study: Any = None,
) -> S:
    """The section with its components in place of their names; what is wrong goes to `problems`.

    study: what a component's `complete` is given, where it is not the section itself.
    """
    found: dict[str, Any] = {}
    for field, kind, several in fields(type(section)):
        value = getattr(section, field)
        path = (*prefix, field)
        about = study if study is not None else section
        if value is None:
            continue
        if several:
            made = [
                component(kind, each, where, (*path, i), problems, point, about)
                for i, each in enumerate(value)
            ]
            found[field] = tuple(m for m in made if m is not None)
        else:
            found[field] = component(kind, value, where, path, problems, point, about)
    return section.model_copy(update=found)


def component(
    kind: str,
    value: Any,
    where: Source,
    path: Path_,
    problems: list[str],
    point: Mapping[str, Any] | None = None,
    section: Any = None,
) -> Component | None:
    """The component that a name or a mapping stands for; None, and a problem, if it is wrong.

    Of a kind that planning needs by name alone, the name of one of ours, where it is all that was
    given: a stranger's may have settings that it cannot do without.
    """
    dotted = ".".join(str(p) for p in path)
    if isinstance(value, Component):
        return value
    given = {"name": value} if isinstance(value, str) else dict(value)
    name = given.pop("name", None)
    if not isinstance(name, str):
        problems.append(
            f"{place_of(where, path, point)}: {dotted} names no {registry.word(kind)}: write "
            f"{{name: ...}}, of {', '.join(registry.names(kind))}"
        )
        return None
    try:
        ours = registry.entry(kind, name).where == registry.BUILT_IN
        if ours and not given and registry.contract(kind).by_name:
            return name  # type: ignore[return-value]
        cls = registry.get(kind, name)
    except registry.UnknownComponent as error:
        problems.append(
            f"{place_of(where, path, point)}: {dotted} is {name!r}{error.hint}; allowed: "
            f"{', '.join(error.known)}"
        )
        return None
    except BadInput as error:
        problems.append(f"{place_of(where, path, point)}: {dotted}: {error}")
        return None
    try:
        whole = given if section is None else cls.complete(given, section)
    except BadInput as error:
        problems.append(f"{place_of(where, path, point)}: {dotted}: {error}")
        return None
    return validated(cls, whole, where, path, problems, point)


def unchecked(section: Any, data: Any, where: Source, path: Path_) -> list[str]:
    """The mistakes in components that a section names, when the section itself is wrong.

    data: the section as it was written. All errors of a study are told at once.
    """
    problems: list[str] = []
    if not isinstance(data, Mapping):
        return problems
    for field, kind, several in fields(section):
        value = data.get(field)
        written = value if several and isinstance(value, tuple) else (value,)
        for i, each in enumerate(written):
            at = (*path, field, i) if several else (*path, field)
            if isinstance(each, (str, Mapping)):
                component(kind, each, where, at, problems)
    return problems


def validated(
    cls: type[Component],
    given: dict[str, Any],
    where: Source,
    path: Path_,
    problems: list[str],
    point: Mapping[str, Any] | None = None,
) -> Component | None:
    """The component of these settings; None, and its problems, if they are wrong."""
    try:
        return cls.model_validate(given)
    except ValidationError as error:
        problems.extend(explain(error, where, path, point, list(cls.model_fields)))
        return None
