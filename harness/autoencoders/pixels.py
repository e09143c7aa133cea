"""Pixels: uint8 levels to the range [-1, 1] and back."""

from __future__ import annotations

import torch
from torch import Tensor


def to_uint8(x: Tensor) -> Tensor:
    """Images in [-1, 1] to uint8, same shape: 127.5 x + 128, clamped to 0-255, truncated."""
    return x.float().mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8)


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 levels to float32 in [-1, 1], same shape: pixel / 127.5 - 1."""
    return pixels.to(torch.float32).div_(127.5).sub_(1.0)
