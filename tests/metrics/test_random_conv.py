from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from drawn_images import CORRUPTIONS, STRENGTHS, shapes

from harness.errors import BadInput
from harness.metrics import Moments, extract, load_extractor
from harness.metrics.frechet import moments_distance
from harness.testing import check


def test_it_keeps_the_laws_of_extractors() -> None:
    check("extractor", "random-conv")


def test_its_weights_are_the_same_everywhere() -> None:
    found = load_extractor("random-conv")
    assert found.sha256 == GOLDEN


GOLDEN = "5513ca149ccd20be65613465d03cb0fc73fde2fde6a6a192cf4938c242191d9e"


@pytest.mark.parametrize("size", [1, 7, 64, 100])
def test_images_of_any_size(size: int) -> None:
    found = load_extractor("random-conv")(torch.zeros(2, 3, size, size, dtype=torch.uint8))
    assert found["pool"].shape == (2, 64) and found["spatial"].shape[1] <= 1792


@pytest.mark.slow
def test_it_orders_corrupted_images() -> None:
    network = load_extractor("random-conv")

    def moments(pixels: np.ndarray) -> Moments:
        pool = extract(pixels, network, keep=("pool",)).pool
        assert pool is not None
        return Moments.of(pool)

    reference = moments(shapes(300, 16, 0)[0])
    clean, labels = shapes(300, 16, 1)
    for name, corrupt in CORRUPTIONS.items():
        worse = [corrupt(clean, labels, s, np.random.default_rng(0)) for s in STRENGTHS[1:]]
        values = [moments_distance(moments(x), reference) for x in (clean, *worse)]
        assert all(b > a for a, b in itertools.pairwise(values)), f"{name}: {values}"


def test_what_are_no_images_is_refused() -> None:
    with pytest.raises(BadInput, match="takes uint8"):
        load_extractor("random-conv")(torch.zeros(2, 3, 8, 8))
    with pytest.raises(BadInput, match="fixed weights"):
        load_extractor("random-conv", weights="w")
