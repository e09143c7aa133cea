"""Decoded images are looked at: their shape, and whether they are finite."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from harness.autoencoders import decode
from harness.errors import BadInput, HarnessError

LATENTS = torch.zeros(2, 4, 4, 4)


def gives(images: Any) -> SimpleNamespace:
    return SimpleNamespace(decode=lambda latents: images)


def test_images_in_minus_one_to_one_are_made_uint8() -> None:
    images = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)
    found = decode(gives(images), LATENTS, 8)
    assert found.dtype == torch.uint8 and found.shape == images.shape
    assert (int(found.min()), int(found.max())) == (0, 255)
    assert decode(gives(images[:, :1]), LATENTS).shape == (2, 1, 8, 8)


@pytest.mark.parametrize(
    "images",
    [
        None,
        LATENTS,
        torch.zeros(1, 3, 8, 8),
        torch.zeros(2, 3, 8, 4),
        torch.zeros(2, 3, 16, 16),
        torch.zeros(3, 8, 8),
        [torch.zeros(3, 8, 8)] * 2,
    ],
)
def test_what_are_no_images_of_the_size_is_refused(images: Any) -> None:
    with pytest.raises(
        BadInput, match=r"decode gave a .* for 2 latents, not images \(N, 3, H, W\)"
    ):
        decode(gives(images), LATENTS, 8)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_decoder_that_overflows_makes_no_black_images(bad: float) -> None:
    images = torch.zeros(2, 3, 8, 8, dtype=torch.float16)
    images[1, 2, 3, 4] = bad
    with pytest.raises(
        HarnessError, match=r"1 of 2 decoded images .* not finite \(torch.float16\)"
    ):
        decode(gives(images), LATENTS)
