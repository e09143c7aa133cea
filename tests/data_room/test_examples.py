"""What the sources' own examples hold."""

from __future__ import annotations

import numpy as np

from harness.data.examples import drawn


def test_examples_differ_by_seed_in_names_and_sizes_too() -> None:
    """Fingerprints of folders are of file lists: equal sizes would hide other images."""
    one, two = drawn(0), drawn(1)
    assert len(one) == 12 and {image.shape for image in one} == {(9, 8, 3), (9, 9, 3)}
    assert all(a.shape != b.shape for a, b in zip(one, two, strict=True))


def test_a_seed_draws_the_same_images_again() -> None:
    for one, again in zip(drawn(3), drawn(3), strict=True):
        assert one.dtype == np.uint8 and np.array_equal(one, again)
