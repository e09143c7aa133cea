"""Stable Diffusion's autoencoder with its published weights: checksum, shape, a round trip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from harness.autoencoders.loading import folder_of, load
from harness.autoencoders.places import weights_of
from harness.autoencoders.properties import properties
from harness.components.weight_files import WeightFiles
from harness.metrics.extractors import sha256_of
from harness.selftest import expected
from harness.selftest.checks import Check, same, within

NAME = "sd-vae"


def checks(
    images: NDArray[np.uint8],
    decoders: tuple[str, ...] = ("ft-mse",),
    *,
    weights: Path | None = None,
    device: str = "cpu",
    online: bool = True,
) -> list[Check]:
    """Each decoder's file and round trip of images (N, H, W, 3); one encoder in all of them.

    weights: a folder as `autoencoder.weights` takes it; None: the hub's cache, or the download
    where `online`. Raises Missing for weights that cannot be had, BadInput for damaged ones.
    """
    found: list[Check] = []
    encoders = set()
    for decoder in decoders:
        files = weights_of(folder_of(NAME, decoder, weights, online))
        assert files is not None  # the folder was looked for by it
        found.append(_checksum(decoder, files))
        model = load(NAME, decoder, weights, device)
        encoders.add(model.sha256)
        has = f"factor {model.factor}, {model.channels} channels, scale {model.scale:g}"
        shape = expected.VAE_SHAPE
        found.append(same(f"sd-vae {decoder}: shape", has, shape.value, shape.source))
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
        decoded, latents = [], []
        for one in pixels:  # one at a time: a batch of 256x256 images takes gigabytes
            mean, _ = model.encode(one[None].to(device))
            latents.append(mean.cpu() * model.scale)
            decoded.append(model.decode(mean * model.scale).cpu().clamp(-1, 1))
        found += _round_trip(decoder, pixels, torch.cat(decoded), torch.cat(latents))
    if len(decoders) > 1:
        found.append(
            same("sd-vae: encoders of " + ", ".join(decoders), f"{len(encoders)} different",
                 "1 different", "the model cards: the decoder alone was tuned")
        )  # fmt: skip
    return found


def _checksum(decoder: str, files: WeightFiles) -> Check:
    name = f"sd-vae {decoder}: SHA-256 of the weights"
    if files.index is not None:
        return Check(name, "told", "in parts", "the whole file's is published")
    sha256 = sha256_of(files.path)
    published = expected.VAE_SHA256.get(decoder)
    if published is None:
        repository = properties(NAME).decoders[decoder]
        return Check(name, "told", sha256, f"compare it with that shown by the hub's {repository}")
    return same(name, sha256, published.value, published.source)


def _round_trip(
    decoder: str, images: torch.Tensor, decoded: torch.Tensor, latents: torch.Tensor
) -> list[Check]:
    """PSNR of the worst published kind or better, and how the latents are spread."""
    of = expected.VAE_PSNR[decoder]
    least = of.mean - 2 * of.std
    grey = images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    return [
        within(
            f"sd-vae {decoder}: PSNR of drawn images, decoded (their mean colours alone have "
            f"{_psnr(images, grey):.3g})",
            _psnr(images, decoded),
            f"at least {least:.3g} dB, two deviations below {of.mean:g} +- {of.std:g}",
            expected.VAE_PSNR_SOURCE,
            least=least,
            digits=4,
        ),
        Check(
            f"sd-vae {decoder}: latents of drawn images",
            "told",
            f"mean {latents.mean():.3g}, deviation {latents.std():.3g}",
            "photographs have a deviation near 1: the scale is made for that",
        ),
    ]


def _psnr(images: torch.Tensor, others: torch.Tensor) -> float:
    """Mean over images in [-1, 1] (N, 3, H, W) of the peak signal-to-noise ratio, in dB."""
    errors = (images - others).double().square().mean(dim=(1, 2, 3)).clamp_min(1e-12)
    return float((10 * torch.log10(4 / errors)).mean())
