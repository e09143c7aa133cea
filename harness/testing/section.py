"""The laws of report sections that can be seen without records."""

from __future__ import annotations

from harness.components.section import Section


def it_has_a_title_and_names_records(section: Section) -> None:
    """It has a title, and the records that it needs are tables that there are."""
    assert isinstance(section.title, str), 'a section\'s title is text, "" for none'
    unknown = set(section.needs) - {"runs", "metrics", "training"}
    assert not unknown, f"there are no records called {sorted(unknown)}"


LAWS = (it_has_a_title_and_names_records,)
