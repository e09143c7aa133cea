"""What the conformance suite said of a component that breaks a law."""

from __future__ import annotations

import re


def named(error: BaseException) -> list[str]:
    """The laws that an error of harness.testing.check names, in its order."""
    return re.findall(r"^- (\w+): ", str(error), re.MULTILINE)
