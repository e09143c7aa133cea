"""What settings mean is read from the text below each field, when it is asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from harness.components.descriptions import described, json_schema
from harness.components.schedule import Schedule


class Inner(BaseModel):
    """A section inside."""

    depth: int = 1
    "How deep."


class Outer(BaseModel):
    """A section."""

    first: int = 1
    """Of the first
    kind."""

    second: Annotated[int, Field(description="said otherwise")] = 2
    "Is not read."

    inner: Inner | None = None
    "What is inside."

    bare: int = 3


class Derived(Outer):
    """Says one thing anew, and of another nothing."""

    first: int = 5
    "Of the last kind."

    inner: Inner | None = None


def test_the_text_below_a_field_is_its_description() -> None:
    about = {name: field.description for name, field in described(Outer).model_fields.items()}
    assert about == {
        "first": "Of the first\nkind.",
        "second": "said otherwise",
        "inner": "What is inside.",
        "bare": None,
    }


def test_a_derived_class_inherits_texts_but_not_those_of_fields_that_it_declares_anew() -> None:
    about = {name: field.description for name, field in described(Derived).model_fields.items()}
    assert about["first"] == "Of the last kind." and about["second"] == "said otherwise"
    assert about["inner"] is None
    assert Outer.model_fields["first"].description != about["first"]


def test_the_json_schema_has_the_texts_of_sections_inside_too() -> None:
    schema = json_schema(Outer)
    assert schema["properties"]["inner"]["description"] == "What is inside."
    assert schema["$defs"]["Inner"]["properties"]["depth"]["description"] == "How deep."
    assert "description" not in schema["properties"]["bare"]


def test_a_class_without_source_has_no_texts() -> None:
    made = {"__annotations__": {"x": int}, "x": 1, "__module__": __name__, "name": "made"}
    cls = type("Made", (Schedule,), made)
    assert described(cls).model_fields["x"].description is None
