"""The trackers that ship: each keeps the laws with its own real package, where that is installed.

`.ci/full` installs all of them (`pip install .[trackers]`); the quick suite asks for none.
"""

from __future__ import annotations

import importlib.util

import pytest

from harness import testing
from harness.components import get
from harness.components.tracker import BUILT_IN


@pytest.mark.full
@pytest.mark.parametrize("name", BUILT_IN)
def test_it_keeps_the_laws(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    testing.check("tracker", name)


@pytest.mark.parametrize("name", BUILT_IN)
def test_it_says_what_to_install_and_needs_nothing_to_be_named(name: str) -> None:
    cls = get("tracker", name)
    assert cls.package and cls.about()  # type: ignore[attr-defined]
    assert cls().model_dump() is not None
    assert importlib.util.find_spec(cls.__module__) is not None
