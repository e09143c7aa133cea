"""What a section is: one class with a name, a title, and a function from findings to blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from harness.report.blocks import Block
    from harness.report.findings import Findings


class Section:
    """One section of the report; it says what is missing where there is nothing to show."""

    name: ClassVar[str]
    """What a study's `report.sections` calls it."""
    title: ClassVar[str]
    """Its heading; "" sets its blocks without one."""
    needs: ClassVar[tuple[str, ...]] = ("metrics",)
    """The records it reads: "runs", "metrics", "training"."""

    def blocks(self, findings: Findings) -> Iterable[Block]:
        """What the section puts on the page."""
        raise NotImplementedError
