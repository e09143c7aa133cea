"""What every section of a study is made of: strict, frozen settings, their fields' types."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LARGEST = 2**63 - 1  # records hold 64-bit integers


class NotInKey:
    """Marks a field that does not change a stage's output."""


Positive = Annotated[int, Field(gt=0, le=LARGEST)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
_one_zero = AfterValidator(lambda value: value + 0.0)  # -0.0 is the same number: one key for both
Fraction = Annotated[float, Field(ge=0, le=1), _one_zero]
Decay = Annotated[float, Field(ge=0, lt=1), _one_zero]
NotNegative = Annotated[float, Field(ge=0), _one_zero]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=80)]


class Settings(BaseModel):
    """Frozen and strict: an unknown field or a value of another type is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
