"""Autoencoders of Stable Diffusion's shape, small enough for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

WEIGHTS = "diffusion_pytorch_model.safetensors"


def small_kl(seed: int, **changes: Any) -> Any:
    """An AutoencoderKL of the real one's shape (factor 8, 4 channels), 4 to 8 features wide."""
    from diffusers import AutoencoderKL

    torch.manual_seed(seed)
    settings = {
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "block_out_channels": (4, 4, 8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "sample_size": 32,
    }
    return AutoencoderKL(**{**settings, **changes})


def save_decoders(root: Path, seed: int = 0) -> Path:
    """Three decoders on one encoder, as the hub has them, in one folder per decoder."""
    small_kl(seed).save_pretrained(root / "original")
    for k, (decoder, folder) in enumerate([("ft-mse", "sd-vae-ft-mse"), ("ft-ema", "ft-ema")]):
        tuned = small_kl(seed)
        torch.manual_seed(100 + k)
        for parameter in tuned.decoder.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
        tuned.save_pretrained(root / folder)
        assert (root / folder / WEIGHTS).exists(), decoder
    return root
