"""The base of every component: frozen, checked settings that can do the work they describe.

A component is one class. Its fields are its settings: frozen and strict pydantic fields, each with
its description in the docstring below it, so that a study's error, its JSON schema, `harness
components` and the reference page all say the same. Its methods are of two halves:

- the light half answers what planning asks (costs, shapes, whether settings fit). It imports
  neither torch nor the network that the component stands for;
- the heavy half does the work. It imports what it needs inside the method, when a stage runs.

    class MyFamily(Family):
        '''What it is, in a sentence.'''

        name = "my-net"

        width: int = 64
        "Channels of the hidden layers."

**Versions and keys.** `version` is raised when the output changes for the same settings. What of a
component enters a stage's key is `content()`: its settings less those marked `NotInKey`. A
stranger's component always writes all of them and its version. Of a built-in, a field that came
after its first release is marked `Later`: it is left out at its default, which may therefore never
change, so that older keys stay valid.
"""

# Annotations are values here, not texts: pydantic would read the texts again for every subclass.
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class NotInKey:
    """Marks a setting that says where or how fast work is done, never what the result is."""


class Later:
    """Marks a built-in's setting that came after its first release: not in the key at its default.

    Its default may never change.
    """


class Component(BaseModel):
    """The base of every kind's contract; see the module's text."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        defer_build=True,  # most of what is imported is not used
    )

    kind: ClassVar[str]  # set by the contract
    name: ClassVar[str]  # what a study writes
    by_name: ClassVar[bool] = False  # of a kind: planning needs the name alone, and loads nothing
    version: ClassVar[int] = 1  # raised when the output changes for the same settings

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        _drop_class_variables(cls)

    @classmethod
    def complete(cls, given: dict[str, Any], section: Any) -> dict[str, Any]:
        """`given` with what the study's section says of this component outside its mapping.

        For settings that had a place of their own before there were components (`evaluations.*.eta`
        is DDIM's). section: the checked section that names the component.
        """
        return given

    @classmethod
    def taken(cls) -> tuple[str, ...]:
        """The names that no other component of its kind may have."""
        return (cls.name,)

    @classmethod
    def about(cls) -> str:
        """The first paragraph of the class's docstring, on one line."""
        first = (cls.__doc__ or "").strip().split("\n\n")[0]
        return " ".join(first.split())

    def keyed(self) -> dict[str, Any]:
        """The settings that enter a key, by name, as JSON values."""
        ours = is_built_in(type(self))
        given = self.model_dump(mode="json")
        out: dict[str, Any] = {}
        for field, later, default in _in_keys(type(self)):
            if ours and later and getattr(self, field) == default:
                continue
            out[field] = given[field]
        return out

    def content(self) -> str | dict[str, Any]:
        """How a key names this component: its name, and its settings where it has any."""
        settings = self.keyed()
        return {"name": self.name, **settings} if settings else self.name

    def key_fields(self, role: str) -> dict[str, Any]:
        """The settings that this component adds to a stage which uses it as `role`.

        `{role: content()}`, but for built-ins whose settings stood elsewhere before there were
        components: they write what they always wrote.
        """
        return {role: self.content()}

    @classmethod
    def from_key(cls, role: str, settings: dict[str, Any]) -> "Component":
        """The component that `key_fields` was made of, given the stage's settings."""
        content = settings.get(role)
        fields = {} if content is None or isinstance(content, str) else dict(content)
        fields.pop("name", None)
        return cls.model_validate(fields, strict=False)

    def places(self) -> dict[str, Any]:
        """The settings that are in no key: paths, sizes of batches."""
        keyed = {field for field, _, _ in _in_keys(type(self))}
        return {f: getattr(self, f) for f in type(self).model_fields if f not in keyed}


@cache
def _in_keys(cls: type[Component]) -> tuple[tuple[str, bool, Any], ...]:
    """The fields that keys hold: each with whether it is marked `Later`, and its default."""
    found = []
    for field, about in cls.model_fields.items():
        marks = [m if isinstance(m, type) else type(m) for m in about.metadata]
        if NotInKey not in marks:
            found.append((field, Later in marks, about.default))
    return tuple(found)


def _drop_class_variables(cls: type[Component]) -> None:
    """Take them from its annotations: every subclass would work them all out again (a fifth of
    what planning takes). pydantic has noted them."""
    own = vars(cls).get("__annotations__", {})
    for name in cls.__class_vars__:
        own.pop(name, None)


_drop_class_variables(Component)


@cache
def is_built_in(cls: type[Component]) -> bool:
    """Is it one of ours? Only their keys may leave anything out.

    Ours are those in the table of their kind, BUILT_IN, which stands beside the contract.
    """
    contract = next(c for c in reversed(cls.__mro__) if "kind" in vars(c))
    if not contract.__module__.startswith("harness.components."):
        return False
    table: dict[str, str] = sys.modules[contract.__module__].BUILT_IN
    return table.get(cls.name) == f"{cls.__module__}:{cls.__qualname__}"


def uses(components: Iterable[Component]) -> dict[str, int]:
    """The versions that a key must name, as {"kind:name": version}.

    A stranger's always; a built-in's from version 2 on, so that today's keys stand.
    """
    return {
        f"{c.kind}:{c.name}": c.version
        for c in components
        if c.version > 1 or not is_built_in(type(c))
    }
