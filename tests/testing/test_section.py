"""Every section keeps the laws that can be seen without records; a broken one is found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pytest

import harness.testing
from harness.components import names
from harness.components.section import Section


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


@pytest.mark.parametrize(
    ("cls", "said"), [(Untitled, "title is text"), (Curious, r"no records called \['weights'\]")]
)
def test_a_broken_promise_is_named(cls: type[Section], said: str) -> None:
    harness.testing.check("section", Empty)
    with pytest.raises(AssertionError, match=said):
        harness.testing.check("section", cls)
