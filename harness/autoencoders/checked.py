"""Latents decoded to images that are looked at: their shape, and whether they are finite.

Half precision overflows in some published decoders: an image of NaN would be stored as black, and
measured like any other.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness.autoencoders.pixels import to_uint8
from harness.errors import BadInput, HarnessError, what_is


def decode(codec: Any, latents: Tensor, image_size: int | None = None) -> Tensor:
    """(N, C, h, w) latents to images, uint8 (N, 3 or 1, H, W).

    image_size: H and W, where known. Raises BadInput for a result that has no such shape and
    HarnessError for values that are not finite.
    """
    images = codec.decode(latents)
    shape = tuple(getattr(images, "shape", ()))
    side = image_size or (shape[2] if len(shape) == 4 else 0)
    if shape not in {(len(latents), channels, side, side) for channels in (1, 3)}:
        of_size = f" of {image_size}x{image_size} pixels" if image_size else ""
        raise BadInput(
            f"the autoencoder's decode gave {what_is(images)} for {len(latents)} latents, not "
            f"images (N, 3, H, W){of_size}"
        )
    bad = len(images) - int(torch.isfinite(images).flatten(1).all(dim=1).sum())
    if bad:
        raise HarnessError(
            f"{bad} of {len(images)} decoded images hold numbers that are not finite "
            f"({images.dtype}): nothing is recorded; is the decoder's precision too low, or are "
            "its weights damaged?"
        )
    return to_uint8(images)
