"""Image folders and tars as sources: what each lets a study say, and what it opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.components.source import Wanted
from harness.data.embedded import Embedded
from harness.data.sources import ImageFolderSource, WebDatasetSource
from harness.data.unlabelled import UnlabelledFolder
from harness.errors import BadInput

WANTED = Wanted("glyphs", None, "train", 8, 1, 10, 12, 0)


@pytest.mark.parametrize("source", [ImageFolderSource(), WebDatasetSource()])
def test_names_and_sources_go_together(source: ImageFolderSource) -> None:
    mine = SimpleNamespace(name="mine", source=source.name, train_images=5)
    source.check(mine)
    with pytest.raises(BadInput, match="the embedded sets are glyphs, digits; others are read"):
        Embedded().check(SimpleNamespace(**{**vars(mine), "source": Embedded()}))
    with pytest.raises(BadInput, match=f"'digits' does not go with source '{source.name}'"):
        source.check(SimpleNamespace(name="digits", source=source))
    with pytest.raises(BadInput, match=r"'mine' is read from files: give data\.path"):
        source.open(replace(WANTED, name="mine"))


@pytest.mark.parametrize("source", [ImageFolderSource(), WebDatasetSource()])
def test_floors_are_apart_where_val_stands_beside_train(
    source: ImageFolderSource, tmp_path: Path
) -> None:
    assert source.floors_apart(str(tmp_path / "no")) is None
    source.example(tmp_path / "in" / "train", 0)
    assert source.floors_apart(str(tmp_path / "in")) is False
    source.example(tmp_path / "in" / "val", 1)
    assert source.floors_apart(str(tmp_path / "in")) is True
    files = [set(source.listing(str(tmp_path / "in"), split)) for split in ("train", "floor")]
    assert files[0] and files[1] and not files[0] & files[1]


def test_what_the_names_tell_is_what_opening_tells(tmp_path: Path) -> None:
    source = ImageFolderSource()
    path = source.example(tmp_path, 0)
    images = source.open(replace(WANTED, name="mine", path=str(path)))
    assert source.quick_classes(str(path)) == len(images.class_names) == 2
    assert source.quick_fingerprint(str(path)) == images.fingerprint
    assert source.quick_count(str(path)) == len(images)
    assert UnlabelledFolder().quick_count(str(path)) == len(images)
    assert len(source.listing(str(path))) == len(images) == 12
