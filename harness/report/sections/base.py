"""What a section is: see harness.components.section, which this hands on."""

from __future__ import annotations

from harness.components.section import Section

__all__ = ["Section"]
