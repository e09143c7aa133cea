"""The fixed set of drawn images."""

from __future__ import annotations

from harness.selftest import drawn, expected


def test_the_drawn_images_are_the_written_down_ones_and_no_two_alike():
    images = drawn.drawn_images()
    assert drawn.sha256(images) == expected.DRAWN_SHA256
    assert len({image.tobytes() for image in images}) == len(images)
