"""Every data source keeps the laws of harness.testing, on the example that it writes itself."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness.testing
from harness.components import registry
from harness.components.source import Source, Wanted
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


@pytest.mark.parametrize("name", registry.names("source"))
def test_floors_are_the_training_images_or_none_of_them(name: str, tmp_path: Path) -> None:
    """A part of them would be a floor of images that the reference was made of."""
    source = registry.get("source", name)()
    assert isinstance(source, Source)
    path = source.example(tmp_path / "mine", seed=0)
    train, floor = (
        source.open(
            Wanted(
                source.example_name or "mine", str(path) if path else None, split, 8, 3, None,
                12 if source.made else None, 0,
            )
        )
        for split in ("train", "floor")
    )  # fmt: skip
    ours, theirs = ({i[k][0].tobytes() for k in range(len(i))} for i in (train, floor))
    assert ours == theirs or not ours & theirs
    if path is not None and source.floors_apart(str(path)) is not None:
        assert source.floors_apart(str(path)) == (ours != theirs)
