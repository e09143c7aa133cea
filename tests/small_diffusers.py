"""Small autoencoders of the classes that diffusers has, with the published ones' numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from small_vae import small_kl


def small_dc(seed: int = 0, levels: int = 6, **changes: Any) -> Any:
    """A DC-AE of factor 2^(levels - 1), residual blocks and linear attention, 8 features wide."""
    from diffusers import AutoencoderDC

    torch.manual_seed(seed)
    attention = 2  # levels, the coarsest
    blocks = ["ResBlock"] * (levels - attention) + ["EfficientViTBlock"] * attention
    scales = [()] * (levels - attention) + [(5,)] * attention
    settings = {
        "latent_channels": 8,
        "attention_head_dim": 4,
        "encoder_block_types": blocks,
        "decoder_block_types": blocks,
        "encoder_block_out_channels": (8,) * levels,
        "decoder_block_out_channels": (8,) * levels,
        "encoder_layers_per_block": (1,) * levels,
        "decoder_layers_per_block": (1,) * levels,
        "encoder_qkv_multiscales": scales,
        "decoder_qkv_multiscales": scales,
        "scaling_factor": 0.41407,
    }
    return AutoencoderDC(**{**settings, **changes})


def small_tiny(seed: int = 0, **changes: Any) -> Any:
    """A TAESD of factor 8, 8 features wide."""
    from diffusers import AutoencoderTiny

    torch.manual_seed(seed)
    settings = {
        "encoder_block_out_channels": (8,) * 4,
        "decoder_block_out_channels": (8,) * 4,
        "num_encoder_blocks": (1, 1, 1, 1),
        "num_decoder_blocks": (1, 1, 1, 1),
    }
    return AutoencoderTiny(**{**settings, **changes})


def sixteen(seed: int = 0, **changes: Any) -> Any:
    """FLUX's numbers: 16 channels, a scale and a shift, no convolutions beside the bottleneck."""
    flux = {"latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159}
    quant = {"use_quant_conv": False, "use_post_quant_conv": False}
    return small_kl(seed, **{**flux, **quant, **changes})


# name -> (a model, its class, channels, factor, scale, shift)
PUBLISHED: dict[str, tuple[Any, str, int, int, float, float]] = {
    "sd": (small_kl, "AutoencoderKL", 4, 8, 0.18215, 0.0),
    "sdxl": (
        lambda seed=0: small_kl(seed, scaling_factor=0.13025),
        "AutoencoderKL", 4, 8, 0.13025, 0.0,
    ),
    "sd3.5": (
        lambda seed=0: sixteen(seed, scaling_factor=1.5305, shift_factor=0.0609),
        "AutoencoderKL", 16, 8, 1.5305, 0.0609,
    ),
    "flux": (sixteen, "AutoencoderKL", 16, 8, 0.3611, 0.1159),
    "dc-ae-f32": (small_dc, "AutoencoderDC", 8, 32, 0.41407, 0.0),
    "dc-ae-f64": (
        lambda seed=0: small_dc(seed, levels=7),
        "AutoencoderDC", 8, 64, 0.41407, 0.0,
    ),
    "tiny": (small_tiny, "AutoencoderTiny", 4, 8, 1.0, 0.0),
}  # fmt: skip


def save(name: str, root: Path, seed: int = 0) -> Path:
    """One of PUBLISHED in a folder of its name."""
    make = PUBLISHED[name][0]
    make(seed).save_pretrained(root / name)
    return root / name


def write_config(folder: Path, **content: Any) -> Path:
    """A config.json without weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))
    return folder
