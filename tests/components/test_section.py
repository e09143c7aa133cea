"""The contract of report sections: planning needs their names alone."""

from __future__ import annotations

import importlib

import pytest

from harness.components import Section, get, names, registry
from harness.components.section import BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_table_leads_to_a_section_of_that_name_with_a_title(name: str) -> None:
    module, _, attribute = BUILT_IN[name].partition(":")
    cls = getattr(importlib.import_module(module), attribute)
    assert issubclass(cls, Section) and cls.name == name and cls.title is not None
    assert get("section", name) is cls


def test_sections_are_known_in_the_reports_order_and_by_name() -> None:
    assert names("section")[:3] == ("headline", "abstract", "claims")
    assert registry.contract("section").by_name
