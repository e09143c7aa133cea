from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.metrics.division import divide


@given(
    count=st.integers(1, 5000),
    extractor_images=st.integers(100, 6000),
    images=st.none() | st.integers(2, 3000),
    floor=st.integers(0, 1000),
    seed=st.integers(0, 9),
)
def test_no_image_is_in_two_parts_and_each_part_has_what_it_needs(
    count, extractor_images, images, floor, seed
):
    least = 100
    try:
        found = divide(
            count,
            extractor_images=extractor_images,
            least=least,
            images=images,
            dimensions=64,
            floor_images=floor,
        )
    except BadInput as error:
        needed = int(str(error).split(";")[-1].split()[0].replace(",", ""))
        assert needed > count
        enough = divide(
            needed,
            extractor_images=extractor_images,
            least=least,
            images=images,
            dimensions=64,
            floor_images=floor,
        )
        assert enough.extractor >= least
        return
    parts = found.indices(count, seed)
    every = np.concatenate(list(parts.values()))
    assert len(np.unique(every)) == len(every) and every.min() >= 0 and every.max() < count
    assert least <= len(parts["extractor"]) <= extractor_images
    assert len(parts["floor"]) == floor
    assert len(parts["reference"]) == (images or count - found.extractor - floor)
    if images is None:
        assert len(parts["reference"]) >= max(128, len(parts["extractor"]))


def test_the_seed_alone_says_who_has_which() -> None:
    division = divide(400, extractor_images=99, least=20, images=None, dimensions=64)
    one, same, other = (division.indices(400, seed)["extractor"] for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any() and len(one) == 99
