"""Every section keeps the laws that can be seen without records; a broken one is found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pytest
from broken_laws import named

import harness.testing
from harness.components import names
from harness.components.section import Section
from harness.testing.section import it_has_a_title_and_names_records


@pytest.mark.parametrize("name", names("section"))
def test_ours_keep_every_law(name: str) -> None:
    harness.testing.check("section", name)


class Empty(Section):
    """Says nothing."""

    name: ClassVar[str] = "empty"
    title: ClassVar[str] = ""

    def blocks(self, findings: Any) -> Iterable[Any]:
        return ()


class Untitled(Empty):
    """Its title is no text."""

    name: ClassVar[str] = "untitled"
    title: ClassVar[Any] = None


class Curious(Empty):
    """Asks for records that nobody keeps."""

    name: ClassVar[str] = "curious"
    needs: ClassVar[tuple[str, ...]] = ("weights",)


BROKEN = [
    (Untitled, it_has_a_title_and_names_records, "title is text"),
    (Curious, it_has_a_title_and_names_records, r"no records called \['weights'\]"),
]


@pytest.mark.parametrize(("cls", "law", "said"), BROKEN)
def test_a_broken_promise_is_named(cls: type[Section], law: Any, said: str) -> None:
    harness.testing.check("section", Empty)
    with pytest.raises(AssertionError, match=said) as caught:
        harness.testing.check("section", cls)
    assert named(caught.value) == [law.__name__]
