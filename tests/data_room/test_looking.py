"""What is said of images after a look at some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import ArrayImages
from harness.data.images import Corrupt, decoded
from harness.data.looking import MOST_READ, data_name, find_source, look
from harness.errors import BadInput


class Drawn:
    """Images by their shapes; None cannot be read. Counts which are opened."""

    fingerprint = "x"

    def __init__(self, *images: Any, class_names: list[str] | None = None) -> None:
        self.images, self.class_names = images, ["a", "b"] if class_names is None else class_names
        self.opened: list[int] = []

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        self.opened.append(index)
        image = self.images[index]
        if image is None:
            raise Corrupt("x.png", "is damaged")
        return image, 0


def plain(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


def test_sizes_are_of_the_shorter_sides() -> None:
    found = look(Drawn(plain(9, 30, 3), plain(40, 12, 3)), "x")
    assert (found.side, found.largest, found.count, found.read, found.channels) == (9, 12, 2, 2, 3)
    assert found.sentence == "2 images of 2 classes (a, b), shorter side 9 to 12 pixels"


def test_classes_beyond_four_are_counted_and_none_is_said() -> None:
    images = ArrayImages(plain(10, 8, 8, 3), np.arange(10), [str(k) for k in range(10)])
    assert look(images, "x").sentence == (
        "10 images of 10 classes (0, 1, 2, 3, ...), shorter side 8 pixels"
    )
    assert " without labels, " in look(Drawn(plain(8, 8, 3), class_names=[]), "x").sentence


def test_gray_is_the_sets_only_where_every_image_is() -> None:
    gray, colour = plain(8, 8, 1), plain(8, 8, 3)
    assert look(Drawn(gray, gray), "x").channels == 1
    mixed = look(Drawn(gray, colour, decoded(colour, "gray"), decoded(colour, "alpha")), "x")
    assert mixed.channels == 3 and mixed.stored == {"gray": 2, "alpha": 1}
    assert "1 of 4 with transparency, which is dropped; 2 of 4 gray" in mixed.sentence
    assert look(Drawn(decoded(colour, "gray")), "x").channels == 1


def test_damaged_images_are_counted_and_only_all_of_them_are_an_error() -> None:
    found = look(Drawn(None, plain(8, 8, 3), None), "x")
    assert (found.damaged, found.read) == (2, 3)
    assert found.sentence.endswith(
        "2 of 3 cannot be read: repair or remove such images, or say with data.max_corrupt how "
        "many may be left out"
    )
    with pytest.raises(BadInput, match="here: none of 2 images looked at can be read"):
        look(Drawn(None, None), "here")
    with pytest.raises(BadInput, match="none of 0 images"):
        look(Drawn(), "here")


def test_of_many_images_some_are_opened_from_the_first_to_the_last() -> None:
    images = Drawn(*[plain(8, 8, 3)] * 1000)
    assert look(images, "x").count == 1000
    assert len(images.opened) == MOST_READ and images.opened[0] == 0 and images.opened[-1] == 999
    assert max(np.diff(images.opened)) <= 6


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("My Photos (2)", "My-Photos-2"),
        ("...", "images"),
        ("glyphs", "my-glyphs"),  # an embedded set's name means the embedded set
        ("imagenet.v2", "imagenet.v2"),
        ("Été à Zürich", "Ete-a-Zurich"),
        ("Smørrebrød", "Sm-rrebr-d"),
        ("猫", "images"),
    ],
)
def test_data_are_named_after_their_folder(path: str, name: str, tmp_path: Path) -> None:
    assert data_name(tmp_path / path) == name


def test_a_files_name_is_without_its_extension(tmp_path: Path) -> None:
    (tmp_path / "cells.v1.npz").write_bytes(b"x")
    assert data_name(tmp_path / "cells.v1.npz") == "cells.v1"


def test_what_nobody_recognises_has_no_source(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert find_source(tmp_path) is None
    assert find_source(tmp_path / "no") is None
