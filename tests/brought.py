"""Components that a stranger might bring, for the tests."""

from __future__ import annotations

from typing import Any

from harness import components


def extractor(tiny: Any, seen: list[Any] | None = None, name: str = "tiny-test") -> Any:
    """A stranger's extractor that gives `tiny`; what it was loaded with goes to `seen`."""

    class Brought(components.Extractor):
        def load(self, weights: Any = None, device: str = "cpu") -> Any:
            if seen is not None:
                seen.append((weights, device))
            return tiny

    Brought.name = name
    return Brought
