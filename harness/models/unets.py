"""The U-Nets of Table 5, through diffusers' classes: complexity baselines, never trained here.

Their attention is written with any number of heads: multiply-accumulates and parameters do not
depend on it. ADM's are class-conditional with 6 output channels (noise and variance of 3).
Sources: the ADM paper's Table 11 to 12 and the LDM paper's appendix for the hyper-parameters;
which of them reproduce the DiT paper's Table 5 was established by counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.zoo import UNET_PARTS, UNETS, unknown

IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class ADM:
    """Hyper-parameters of a U-Net in ADM's design."""

    size: int  # height and width of input and output
    channels: int
    multipliers: tuple[float, ...]  # of channels, per level
    layers: int = 2  # residual blocks per level
    attention: tuple[int, ...] = (32, 16, 8)  # resolutions with attention
    inputs: int = 3  # input channels; an upsampler's are 6, the low-resolution image among them


@dataclass(frozen=True)
class LDM:
    """Hyper-parameters of a latent diffusion U-Net with a class token of width 512."""

    size: int
    latents: int  # channels of input and output
    channels: tuple[int, ...]  # per level
    attention: tuple[bool, ...]  # per level
    heads: int | tuple[int, ...]  # per level


DESIGNS: dict[str, ADM | LDM] = {
    "ADM-64": ADM(64, 192, (1, 2, 3, 4), layers=3),
    "ADM-128": ADM(128, 256, (1, 1, 2, 3, 4)),
    "ADM-256": ADM(256, 256, (1, 1, 2, 2, 4, 4)),
    "ADM-512": ADM(512, 256, (0.5, 1, 1, 2, 2, 4, 4)),
    "ADM-upsampler-256": ADM(256, 192, (1, 1, 2, 2, 4, 4), inputs=6),
    "ADM-upsampler-512": ADM(512, 192, (1, 1, 2, 2, 4, 4), inputs=6, attention=(32, 16)),
    "LDM-4": LDM(64, 3, (192, 384, 576, 960), (False, True, True, True), 1),
    "LDM-8": LDM(32, 4, (256, 512, 1024), (True, True, True), (8, 16, 32)),
}
CONTEXT = 512  # width of LDM's class token


def unet(name: str) -> Any:
    """The U-Net of this name (one network: for ADM-U ask for its parts, `zoo.UNET_PARTS`).

    Raises UnknownModel.
    """
    from diffusers import UNet2DConditionModel

    if name not in DESIGNS:
        raise unknown(name)
    design = DESIGNS[name]
    if isinstance(design, LDM):
        return UNet2DConditionModel(  # type: ignore[no-untyped-call]
            sample_size=design.size,
            in_channels=design.latents,
            out_channels=design.latents,
            block_out_channels=design.channels,
            down_block_types=tuple(
                "CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in design.attention
            ),
            up_block_types=tuple(
                "CrossAttnUpBlock2D" if attends else "UpBlock2D"
                for attends in reversed(design.attention)
            ),
            cross_attention_dim=CONTEXT,
            attention_head_dim=design.heads,
        )
    return _adm(design)


def _adm(design: ADM) -> Any:
    from diffusers import UNet2DModel
    from diffusers.models.embeddings import TimestepEmbedding, Timesteps

    levels = range(len(design.multipliers))
    attends = [design.size >> level in design.attention for level in levels]
    network: Any = UNet2DModel(  # type: ignore[no-untyped-call]
        sample_size=design.size,
        in_channels=design.inputs,
        out_channels=6,
        block_out_channels=tuple(int(design.channels * m) for m in design.multipliers),
        down_block_types=tuple(
            "AttnDownBlock2D" if attends[level] else "ResnetDownsampleBlock2D" for level in levels
        ),
        up_block_types=tuple(
            "AttnUpBlock2D" if attends[level] else "ResnetUpsampleBlock2D"
            for level in reversed(levels)
        ),
        layers_per_block=design.layers,
        resnet_time_scale_shift="scale_shift",
        downsample_type="resnet",
        upsample_type="resnet",
        time_embedding_dim=4 * design.channels,
        attention_head_dim=64,
        attn_norm_num_groups=32,
        num_class_embeds=IMAGENET_CLASSES,
    )
    # diffusers takes the timestep's features as wide as the first level; ADM as the base width.
    network.time_proj = Timesteps(design.channels, flip_sin_to_cos=True, downscale_freq_shift=0)
    network.time_embedding = TimestepEmbedding(design.channels, 4 * design.channels)
    return network


class Wrapped(nn.Module):
    """A diffusers U-Net that returns its tensor, so that it can be traced."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """x (N, C, S, S), t (N,), labels (N,) or context (N, 1, 512) -> a tensor as large as x."""
        return self.network(x, t, condition, return_dict=False)[0]  # type: ignore[no-any-return]


def example_inputs(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs for one image: x (1, C, S, S), t (1,), and a label (1,) or class token (1, 1, 512)."""
    design = DESIGNS[name]
    t = torch.zeros(1, dtype=torch.long)
    if isinstance(design, LDM):
        x = torch.zeros(1, design.latents, design.size, design.size)
        return x, t, torch.zeros(1, 1, CONTEXT)
    return torch.zeros(1, design.inputs, design.size, design.size), t, torch.zeros_like(t)


def parts(name: str) -> tuple[str, ...]:
    """The networks that run for one image: two for ADM-U, otherwise the U-Net itself."""
    if name not in UNETS:
        raise unknown(name)
    return UNET_PARTS.get(name, (name,))
