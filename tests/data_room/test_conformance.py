"""Every data source keeps the laws of harness.testing, on the example that it writes itself."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness.testing
from harness.components import registry
from harness.components.source import Source
from harness.data.looking import find_source

OTHERS = [("arrays", {"labels": None}), ("parquet", {"label": None}), ("arrays", {"images": "x"})]
BUILT_IN = [(name, {}) for name in registry.names("source")]


@pytest.mark.parametrize(("name", "settings"), BUILT_IN + OTHERS)
def test_a_source_keeps_its_contract(name: str, settings: dict) -> None:
    harness.testing.check("source", name, **settings)


@pytest.mark.parametrize(("name", "settings"), BUILT_IN + OTHERS[:2])
def test_what_a_source_wrote_is_recognised_as_its_own(
    name: str, settings: dict, tmp_path: Path
) -> None:
    source = registry.get("source", name).model_validate(settings)
    assert isinstance(source, Source)
    path = source.example(tmp_path / "mine", seed=0)
    if path is None:
        assert source.made
        return
    assert find_source(path) == (name, settings)
