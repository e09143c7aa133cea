"""The embedded sets as a source: images as a study wants them, splits apart, what is refused."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from harness.components import registry
from harness.components.source import Wanted
from harness.data.embedded import EMBEDDED, Embedded
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


def test_every_embedded_sets_module_renders() -> None:
    assert all(callable(import_module(module).render) for module in EMBEDDED.values())
    assert "embedded" in registry.names("source")
