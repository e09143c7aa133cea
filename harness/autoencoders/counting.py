"""The cost of decoding one image, counted on the network that the config describes."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from harness.autoencoders import diffusers_config

# Stable Diffusion's KL autoencoder (its config.json on the hub).
SD_VAE = {
    "_class_name": "AutoencoderKL",
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 4,
}


@functools.cache
def decoder_gflops(folder: str | None, image_size: int) -> float:
    """Gflops (10^9 multiply-accumulates) to decode one image of image_size pixels per side.

    folder: with the autoencoder's config.json; None: Stable Diffusion's. Convolutions and matrix
    products are counted, on the meta device: no weights are needed.
    """
    import diffusers
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    path = None if folder is None else Path(folder) / diffusers_config.CONFIG
    content: dict[str, Any] = SD_VAE if path is None else json.loads(path.read_text())
    shape = diffusers_config.shape(content["_class_name"], content)
    side = image_size // shape.factor
    with torch.device("meta"):
        model = getattr(diffusers, shape.architecture).from_config(content).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model.decode(torch.empty(1, shape.channels, side, side))
    return float(counter.get_total_flops()) / 2e9
