"""The small network: shapes at any size, what it averages, and that images stand alone."""

from __future__ import annotations

import pytest
import torch

from harness.metrics.classifier_network import (
    DIMENSIONS,
    PLAIN,
    SIDE,
    Network,
    pooling_for,
    to_float,
)


def made(pooling: tuple[int, int, int] = PLAIN, classes: int = 3) -> Network:
    torch.manual_seed(0)
    return Network(classes, pooling).eval()


@pytest.mark.parametrize(("size", "map_side"), [(8, 8), (16, 16), (17, 9), (32, 16), (64, 16)])
@torch.no_grad()
def test_shapes_at_every_size(size: int, map_side: int) -> None:
    pool, middle, logits = made(pooling_for(size))(torch.zeros(2, 3, size, size))
    assert pool.shape == (2, DIMENSIONS) and logits.shape == (2, 3)
    assert middle.shape == (2, 48, map_side, map_side)


@pytest.mark.parametrize("size", [1, 16, 17, 32, 33, 64, 256])
def test_the_last_convolution_sees_about_eight_by_eight(size: int) -> None:
    one, two, three = pooling_for(size)
    side = min(size, SIDE)
    assert side // (one * two * three) <= 8
    assert side <= 16 or side // (one * two * three) >= 4


@torch.no_grad()
def test_larger_images_are_averaged_down_to_the_largest_side() -> None:
    x = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    twice = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    network = made(pooling_for(SIDE))
    for a, b in zip(network(x), network(twice), strict=True):
        torch.testing.assert_close(a, b)


@torch.no_grad()
def test_the_last_row_of_an_odd_size_counts() -> None:
    x = torch.zeros(1, 3, 17, 17)
    changed = x.clone()
    changed[..., 16, 16] = 1
    network = made(pooling_for(17))
    assert not torch.equal(network(x)[0], network(changed)[0])


@torch.no_grad()
def test_an_image_alone_has_the_features_that_it_has_among_others() -> None:
    """Batch norm once made every generated image an outlier."""
    x = torch.rand(5, 3, 16, 16) * 2 - 1
    network = made()
    together = network(x)[0]
    alone = torch.cat([network(image[None])[0] for image in x])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())


def test_levels_become_minus_one_to_one() -> None:
    x = to_float(torch.tensor([0, 255], dtype=torch.uint8))
    assert x.tolist() == [-1.0, 1.0] and x.dtype == torch.float32


def test_the_glyphs_networks_tensors_are_those_of_before() -> None:
    """Weights of release 0.1 are loaded by these names and shapes."""
    shapes = {name: tuple(value.shape) for name, value in made(classes=10).state_dict().items()}
    assert shapes["conv1.weight"] == (24, 3, 3, 3) and shapes["conv3.weight"] == (64, 48, 3, 3)
    assert shapes["features.weight"] == (64, 256) and shapes["classify.weight"] == (10, 64)
    assert len(shapes) == 16
