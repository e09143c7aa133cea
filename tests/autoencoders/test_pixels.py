"""Levels to [-1, 1] and back: exact both ways, clamped, and without a change to what is given."""

from __future__ import annotations

import numpy as np
import torch

from harness.autoencoders.pixels import to_uint8, to_unit


def test_every_pixel_level_survives_the_way_to_unit_range_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_unit(levels)), levels)


def test_pixels_are_clamped_and_truncated() -> None:
    x = torch.tensor([-9.0, -1.0, -0.999, 0.0, 0.99, 1.0, 9.0])
    expected = [0, 0, 0, 128, 254, 255, 255]
    assert to_uint8(x).tolist() == expected
    assert to_uint8(x.to(torch.float64)).dtype == torch.uint8
    assert x[0] == -9


def test_the_ends_and_the_middle_of_the_range_are_exact() -> None:
    x = to_unit(torch.tensor([0, 255, 51], dtype=torch.uint8))
    assert x.dtype == torch.float32 and x.tolist()[:2] == [-1.0, 1.0]
    assert abs(float(x[2]) - (51 / 127.5 - 1)) < 1e-7


def test_half_precision_images_become_the_levels_that_their_float32_values_have() -> None:
    """Arithmetic in bfloat16 would be off by whole levels near white."""
    x = torch.linspace(-1, 1, 4001).to(torch.bfloat16)
    expected = np.clip(127.5 * x.double().numpy() + 128, 0, 255).astype(np.uint8)
    assert np.array_equal(to_uint8(x).numpy(), expected)
    x = torch.zeros(2, 3, 4, 5, dtype=torch.float16)
    assert to_uint8(x).shape == x.shape and to_unit(to_uint8(x)).shape == x.shape


def test_levels_that_are_given_stay_as_they_are() -> None:
    levels = torch.tensor([3, 250], dtype=torch.uint8)
    to_unit(levels)
    assert levels.tolist() == [3, 250]
