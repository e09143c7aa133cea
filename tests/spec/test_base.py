"""What every section of a study is made of: strict, frozen, no number that records cannot hold."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.spec import base, dispatching, schema
from harness.spec.base import Settings


class Section(Settings):
    count: base.Positive = 1
    share: base.Fraction = 0.5


@pytest.mark.parametrize(
    "given",
    [
        {"count": 0},
        {"count": "3"},  # no text is a number
        {"count": 3.0},
        {"count": True},
        {"count": base.LARGEST + 1},
        {"share": math.nan},
        {"share": math.inf},
        {"share": 1.01},
        {"cuont": 1},
    ],
)
def test_what_is_not_meant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Section.model_validate(given)


def test_the_largest_number_is_what_records_hold_and_no_setting_changes() -> None:
    section = Section(count=base.LARGEST)
    assert section.count == 2**63 - 1
    with pytest.raises(ValidationError):
        section.count = 2  # type: ignore[misc]


@pytest.mark.parametrize("kind", [base.Fraction, base.Decay, base.NotNegative])
def test_minus_zero_is_zero_so_that_one_number_has_one_key(kind: Any) -> None:
    assert math.copysign(1, TypeAdapter(kind).validate_python(-0.0)) == 1


@pytest.mark.parametrize(
    ("name", "good"),
    [("a", True), ("8x8_b.c-d", True), (".hidden", False), ("a/b", False), ("a b", False),
     ("", False), ("a" * 81, False), ("a\n", False)],
)  # fmt: skip
def test_names_are_those_that_every_file_system_takes(name: str, good: bool) -> None:
    adapter = TypeAdapter[str](base.Name)
    if good:
        assert adapter.validate_python(name) == name
    else:
        with pytest.raises(ValidationError):
            adapter.validate_python(name)


SECTIONS = [
    each
    for module in (schema, dispatching)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, Settings) and each is not Settings
]
DEFAULTS = [
    pytest.param(about.default, id=f"{section.__name__}.{field}")
    for section in dict.fromkeys(SECTIONS)
    for field, about in section.model_fields.items()
    if isinstance(about.default, Settings)
]


@pytest.mark.parametrize("default", DEFAULTS)
def test_a_section_left_out_is_what_its_own_defaults_make_it(default: Settings) -> None:
    checked = type(default).model_validate({})
    assert default == checked
    assert default.model_fields_set == checked.model_fields_set == set()
    assert default.model_dump_json() == checked.model_dump_json()


def test_there_are_sections_that_may_be_left_out() -> None:
    assert len(DEFAULTS) >= 8
