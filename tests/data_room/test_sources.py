"""The sources of before there were components: what each lets a study say, and what it opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.components import registry
from harness.components.source import Wanted
from harness.data import sources
from harness.data.sources import EMBEDDED, Embedded, ImageFolderSource, WebDatasetSource
from harness.errors import BadInput

WANTED = Wanted("glyphs", None, "train", 8, 1, 10, 12, 0)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_images_are_as_the_study_wants_them(name: str) -> None:
    images = Embedded().open(replace(WANTED, name=name))
    assert len(images) == 12 and images.class_names == [str(k) for k in range(10)]
    image, label = images[0]
    assert image.shape == (8, 8, 1) and image.dtype == np.uint8 and 0 <= label < 10
    colour, _ = Embedded().open(replace(WANTED, name=name, channels=3))[0]
    assert colour.shape == (8, 8, 3)


def test_splits_of_an_embedded_set_share_no_image() -> None:
    opened = {s: Embedded().open(replace(WANTED, split=s)) for s in ("train", "reference", "floor")}
    prints = {images.fingerprint for images in opened.values()}
    assert len(prints) == 3
    one, two = (opened[s] for s in ("train", "floor"))
    assert not {one[k][0].tobytes() for k in range(12)} & {two[k][0].tobytes() for k in range(12)}


def test_embedded_sets_say_what_they_lack() -> None:
    with pytest.raises(BadInput, match="no embedded data set 'mine'; there are glyphs, digits"):
        Embedded().open(replace(WANTED, name="mine"))
    with pytest.raises(BadInput, match=r"how many images of 'glyphs'\? Give data\.train_images"):
        Embedded().open(replace(WANTED, count=None))
    with pytest.raises(BadInput, match=r"data\.train_images must be given"):
        Embedded().check(SimpleNamespace(name="glyphs", source="embedded", train_images=None))


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
    assert len(source.listing(str(path))) == len(images) == 12


def test_examples_differ_by_seed_in_names_and_sizes_too() -> None:
    """Fingerprints of folders are of file lists: equal sizes would hide other images."""
    one, two = sources.drawn(0), sources.drawn(1)
    assert len(one) == 12 and {image.shape for image in one} == {(9, 8, 3), (9, 9, 3)}
    assert all(a.shape != b.shape for a, b in zip(one, two, strict=True))


def test_every_embedded_sets_module_renders() -> None:
    from importlib import import_module

    assert all(callable(import_module(module).render) for module in EMBEDDED.values())
    assert "embedded" in registry.names("source")
