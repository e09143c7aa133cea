"""The report's sections: one file each, found through the registry of components."""

from __future__ import annotations

from typing import Any

from harness.components import registry
from harness.components.section import BUILT_IN as TABLE
from harness.components.section import Section

__all__ = ["TABLE", "section"]


def section(named: str | Section) -> Section:
    """The section called so, or the section itself. Raises BadInput for one that nobody has."""
    if isinstance(named, Section):
        return named
    made: Any = registry.get("section", named)()
    return made  # type: ignore[no-any-return]
