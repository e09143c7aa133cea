"""Conformance: does a component keep the promises of its kind's contract?

    import harness.testing
    harness.testing.check("family", MyFamily, width=64)
    harness.testing.check("sampler", "flow-euler")

Each kind has a module here with its laws, small functions of one component that raise an
AssertionError saying which promise broke and on what input. Built-in components pass the same
laws. Laws of a family build it and run it: check a small size.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

from harness.components import registry
from harness.components.base import Component
from harness.testing import settings as settings_laws

Law = Callable[..., None]  # law(component), raising AssertionError


def check(kind: str, component: str | type[Component] | Component, **settings: object) -> None:
    """Raise AssertionError unless the component keeps every law of its kind.

    component: a name that the registry knows, a class, or an instance; settings: its fields, where
    no instance is given. The error lists every law that broke. Raises BadInput for a kind or a name
    that does not exist, and TypeError for settings beside an instance.
    """
    kind = registry.contract(kind).kind
    made = _made(kind, component, settings)
    broken = list(_broken(made, laws(kind)))
    if broken:
        raise AssertionError(
            f"the {registry.word(kind)} {made.name!r} breaks its contract:\n" + "\n".join(broken)
        )


def laws(kind: str) -> tuple[Law, ...]:
    """The laws of one kind, those of every component first."""
    module = importlib.import_module(f"{__name__}.{kind}")
    return (*settings_laws.LAWS, *module.LAWS)


def _made(
    kind: str, component: str | type[Component] | Component, settings: dict[str, object]
) -> Component:
    if isinstance(component, Component):
        if settings:
            raise TypeError(f"{component.name} has its settings already: give the class instead")
        made = component
    else:
        cls = registry.get(kind, component) if isinstance(component, str) else component
        made = registry.check_class(cls, "harness.testing")(**settings)
    if not isinstance(made, registry.contract(kind)):
        raise AssertionError(
            f"{type(made).__name__} is not derived from the contract of the kind "
            f"{registry.word(kind)}, {registry.contract(kind).__name__}"
        )
    return made


def _broken(component: Component, laws: tuple[Law, ...]) -> Iterator[str]:
    for law in laws:
        try:
            law(component)
        except AssertionError as error:
            yield f"- {law.__name__}: {error}"
        except Exception as error:
            yield f"- {law.__name__}: raised {type(error).__name__}: {error}"
