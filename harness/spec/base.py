"""The base of every section of a study: strict, frozen settings, and their fields' types.

A field's description is the text below it; harness.components.descriptions reads it when asked for.
No other place says its meaning, its unit, its source and the reason of its default: errors,
`schema`, `explain` and the reference page show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from harness.components.base import NotInKey

__all__ = [
    "LARGEST",
    "NAME",
    "Choice",
    "Component",
    "Count",
    "Decay",
    "Fraction",
    "Minutes",
    "Name",
    "NotInKey",
    "NotNegative",
    "Positive",
    "Settings",
]

LARGEST = 2**63 - 1  # records hold 64-bit integers


@dataclass(frozen=True)
class Choice:
    """Marks a field that names a component of a kind: a name, or a mapping with `name`.

    Once a study is loaded the field holds the component itself (harness.spec.choices).
    """

    kind: str


Component = str | dict[str, Any]  # as a study writes it: a name, or {name: ..., its settings}
Positive = Annotated[int, Field(gt=0, le=LARGEST)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
_one_zero = AfterValidator(lambda value: value + 0.0)  # -0.0 is the same number: one key for both
Fraction = Annotated[float, Field(ge=0, le=1), _one_zero]
Decay = Annotated[float, Field(ge=0, lt=1), _one_zero]
NotNegative = Annotated[float, Field(ge=0), _one_zero]
TEN_YEARS = 10 * 366 * 24 * 60  # minutes; every clock that is waited by holds them
Minutes = Annotated[float, Field(gt=0, le=TEN_YEARS)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=80)]


class Settings(BaseModel):
    """Frozen and strict: an unknown field or a value of another type is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        defer_build=True,  # of what a command imports, it uses a part
    )

    @classmethod
    def untouched(cls) -> Self:
        """All fields at their defaults, as `cls()` has them, for a field's default.

        `cls()` would build its own validator as the schema is imported; a study's holds it again.
        """
        return cls.model_construct()
