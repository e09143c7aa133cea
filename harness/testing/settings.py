"""Laws of every component: what the registry and keys rely on."""

from __future__ import annotations

import json

from harness.components import registry
from harness.components.base import Component


def every_setting_is_described(component: Component) -> None:
    """Each field has a docstring below it, and class, name and version are as they should be."""
    try:
        registry.check_class(type(component), "the component")
    except ValueError as error:
        raise AssertionError(str(error)) from error
    if not component.about():
        raise AssertionError("the class has no docstring to say what it is")


def settings_are_frozen(component: Component) -> None:
    """No setting can be changed after it was checked and keyed."""
    for field in type(component).model_fields:
        try:
            setattr(component, field, getattr(component, field))
        except ValueError:
            continue
        raise AssertionError(f"the setting {field} can be set on an instance; keep frozen=True")


def a_key_is_read_back(component: Component) -> None:
    """The settings that enter a key, as JSON, make the same component again."""
    if component.kind == "family":  # has its own law: a family is keyed by its architecture
        return
    role = component.kind
    written = json.loads(json.dumps(component.key_fields(role)))
    again = type(component).from_key(role, written)
    if again.keyed() != component.keyed():
        raise AssertionError(
            f"key_fields wrote {written}, which from_key reads as {again.keyed()}, not "
            f"{component.keyed()}"
        )


LAWS = (every_setting_is_described, settings_are_frozen, a_key_is_read_back)
