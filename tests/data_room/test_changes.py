"""Each way in which an image is changed has its words, and the two that count them use the same."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from harness.data import changes
from harness.data.encoding import changed
from harness.data.images import decoded, how_stored


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16", "I"])
def test_every_kind_that_is_counted_has_words(mode: str) -> None:
    kind = how_stored(Image.new(mode, (8, 8)))
    pixels = decoded(np.zeros((8, 8, 3), np.uint8), kind, True)
    found = changed(pixels, size=16)
    assert found == [kind, "turned", "enlarged"] and set(found) <= set(changes.WORDS)


def test_they_are_told_with_their_number() -> None:
    assert changes.told({"turned": 1200, "gray": 3, "ycbcr": 1}, 4000) == [
        "3 of 4,000 gray",
        "1,200 of 4,000 with an EXIF orientation, which is not applied: turn such images first",
        "1 of 4,000 ycbcr",
    ]
    assert changes.told({}, 4000) == []
