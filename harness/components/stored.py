"""Components read back from the settings of a stage, where keys have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.components import registry
from harness.components.base import Component

# What is meant where a stage's settings name none: keys from before there was a choice.
UNNAMED = {"family": "DiT", "objective": "ddpm", "optimizer": "adamw", "schedule": "constant"}


def read(
    kind: str,
    settings: Mapping[str, Any],
    role: str | None = None,
    places: Mapping[str, Any] | None = None,
) -> Any:
    """The component of `kind` that a stage's settings hold as `role` (default: the kind).

    places: its settings that are in no key (paths), as they are on this machine.
    Raises UnknownComponent when it is not installed here.
    """
    role = role or kind
    content = settings.get(role)
    name = content["name"] if isinstance(content, Mapping) else content
    cls = registry.get(kind, name or UNNAMED[kind])
    component: Component = cls.from_key(role, dict(settings))
    return component.model_copy(update=dict(places)) if places else component
