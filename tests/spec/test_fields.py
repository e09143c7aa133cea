"""Which fields of a study name components, and of which kind."""

from __future__ import annotations

from typing import Annotated, Any

from harness.components import registry
from harness.spec import schema
from harness.spec.base import Choice, Settings
from harness.spec.fields import component_fields, fields, kind_of


class Section(Settings):
    plain: int = 1
    one: Annotated[str | dict[str, Any], Choice("sampler")] = "ddim"
    perhaps: Annotated[str, Choice("schedule")] | None = None
    several: tuple[Annotated[str, Choice("metric")], ...] = ()


def test_a_choice_is_found_alone_in_a_union_and_in_a_list() -> None:
    assert list(fields(Section)) == [
        ("one", "sampler", False),
        ("perhaps", "schedule", False),
        ("several", "metric", True),
    ]
    assert kind_of(Section.model_fields["plain"]) is None


def test_every_kind_of_the_studys_fields_is_the_registrys() -> None:
    sections = [getattr(schema, name) for name in schema.__all__ if name.endswith("Settings")]
    found = {kind for section in sections for _, kind, _ in fields(section)}
    assert found <= set(registry.KINDS)
    assert {"source", "objective", "sampler", "metric", "optimizer", "executor"} <= found


def test_fields_that_name_one_component_are_known_without_their_section() -> None:
    assert {"sampler", "optimizer", "schedule", "extractor", "source"} <= component_fields()
    assert not {"metrics", "sections", "trackers", "steps"} & component_fields()
