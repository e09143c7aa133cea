"""The contract of data sources: what one that says nothing more is taken for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.components import Source, get
from harness.components.source import BUILT_IN


class Bare(Source):
    """Somebody's files."""

    name: ClassVar[str] = "bare"

    def open(self, wanted: Any) -> Any:
        raise NotImplementedError


def test_one_that_says_nothing_more_reads_every_file_and_promises_nothing(tmp_path: Path) -> None:
    bare = Bare()
    (tmp_path / "b").write_text("x")
    (tmp_path / "a").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    path = str(tmp_path)
    assert bare.listing(path) == [f"{path}/a", f"{path}/b"]
    assert bare.labelled and bare.floors_apart(path) is None
    assert bare.quick_classes(path) is None and bare.quick_fingerprint(path) is None
    assert bare.recognise(tmp_path) is None and bare.example(tmp_path, 0) is None


def test_images_that_are_made_have_others_for_floors() -> None:
    class Made(Bare):
        made = True

    assert Made().floors_apart("") is True


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_of_ours_says_how_its_files_lie_unless_it_makes_its_images(name: str) -> None:
    cls: Any = get("source", name)
    assert cls.made or cls.layout != Source.layout
    assert cls.made == (name == "embedded")


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "embedded"])
def test_an_example_is_recognised_by_its_own_source(name: str, tmp_path: Path) -> None:
    """`new --data` asks every source what lies there."""
    cls: Any = get("source", name)
    path = cls().example(tmp_path, seed=0)
    if path is not None:
        assert cls.recognise(path) is not None
    (tmp_path / "empty").mkdir()
    assert cls.recognise(tmp_path / "empty") is None
