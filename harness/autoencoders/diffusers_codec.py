"""The heavy half of `diffusers`: weights, loaded and checked, both ways."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness.autoencoders import diffusers_config
from harness.autoencoders.loading import (
    DECODER,
    ENCODER,
    load_model,
    state_sha256,
)
from harness.autoencoders.places import WEIGHTS, weights_of
from harness.errors import BadInput, Missing


class DiffusersCodec:
    """A diffusers autoencoder in evaluation mode, without gradients.

    What it encodes is brought about 0 here; `scale` is what the latents are multiplied by when they
    are read (harness.data.latents), and divided by before they are decoded.
    """

    name = "diffusers"
    decoder = "original"
    pixels = False

    def __init__(self, model: Any, about: diffusers_config.Shape) -> None:
        self.model = model
        self.factor, self.channels, self.scale = about.factor, about.channels, about.scale
        device = next(model.parameters()).device

        def by_channel(values: tuple[float, ...]) -> Tensor:
            return torch.tensor(values, device=device)[None, :, None, None]

        self._shift = by_channel((about.shift,) if about.mean is None else about.mean)
        self._spread = by_channel((1.0,) if about.std is None else about.std)
        self.sha256: str | None = state_sha256(model, ENCODER)
        self.decoder_sha256: str | None = state_sha256(model, DECODER)

    @torch.no_grad()
    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the posterior, shifted; the deviation is 0 where there is none."""
        encoded = self.model.encode(images.to(self.model.dtype))
        if hasattr(encoded, "latent_dist"):  # AutoencoderKL
            mean, std = encoded.latent_dist.mean.float(), encoded.latent_dist.std.float()
        else:  # AutoencoderDC has .latent, AutoencoderTiny .latents
            mean = (encoded.latent if hasattr(encoded, "latent") else encoded.latents).float()
            std = torch.zeros_like(mean)
        return (mean - self._shift) / self._spread, std / self._spread

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """The model's outputs (N, channels, h, w) to images (N, 3, H, W) about [-1, 1]."""
        plain = latents / self.scale * self._spread + self._shift
        return self.model.decode(plain.to(self.model.dtype)).sample.float()  # type: ignore[no-any-return]


def load(about: diffusers_config.Shape, weights: str | None, device: str) -> DiffusersCodec:
    """The autoencoder in a folder, which must be what the study planned with.

    Raises Missing without weights, BadInput for those that do not fit.
    """
    if weights is None:
        raise Missing("autoencoder.weights is not set: the folder of a diffusers autoencoder")
    folder = diffusers_config.folder_of(weights)
    found = diffusers_config.read(weights)
    for field in ("architecture", "channels", "factor"):
        if getattr(found, field) != getattr(about, field):
            raise BadInput(
                f"the autoencoder in {weights} has {field} {getattr(found, field)!r}, and the "
                f"study was planned with {getattr(about, field)!r}"
            )
    if weights_of(folder) is None:
        raise Missing(
            f"{folder} holds no {WEIGHTS}: put the autoencoder's weights beside its config.json "
            "(in safetensors; pickles are not loaded)"
        )
    model = load_model(about.architecture, folder, about.architecture)
    return DiffusersCodec(model.to(device).eval().requires_grad_(False), about)
