"""Sections of a study that are wrong in themselves."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.spec.base import Settings


def refused(section: type[Settings], given: dict[str, Any]) -> str:
    """What is said of a section that has to be refused."""
    with pytest.raises(ValidationError) as caught:
        section.model_validate(given)
    return str(caught.value)
