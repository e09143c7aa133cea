"""The fields of a study that name components, and of which kind."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic.fields import FieldInfo

from harness.spec import schema
from harness.spec.base import Choice, Settings


def fields(section: type[Settings]) -> Iterator[tuple[str, str, bool]]:
    """(field, kind of component, is it a list?) of a section's choices."""
    for name, about in section.model_fields.items():
        if (kind := kind_of(about)) is not None:
            yield name, kind, str(about.annotation).startswith("tuple")


def kind_of(field: FieldInfo) -> str | None:
    """The kind of component that a field names; None for other fields."""
    for mark in field.metadata:
        if isinstance(mark, Choice):
            return mark.kind
    return _inside(field.annotation)


def _inside(annotation: Any) -> str | None:
    """The kind in `Annotated[..., Choice]` inside a tuple or a union."""
    for mark in getattr(annotation, "__metadata__", ()):
        if isinstance(mark, Choice):
            return mark.kind
    for part in getattr(annotation, "__args__", ()):
        if (kind := _inside(part)) is not None:
            return kind
    return None


@cache
def component_fields() -> frozenset[str]:
    """The fields of a study that name one component: sampler, optimizer, ..."""
    sections = [getattr(schema, name) for name in schema.__all__ if name.endswith("Settings")]
    found = (fields(section) for section in sections)
    return frozenset(field for each in found for field, _, several in each if not several)
