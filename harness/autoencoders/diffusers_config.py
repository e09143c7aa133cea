"""Reads the config.json of a diffusers autoencoder, without torch.

Three classes are known: AutoencoderKL (Stable Diffusion, SDXL, SD 3.5, FLUX), AutoencoderDC (DC-AE,
2410.10733) and AutoencoderTiny (TAESD). A model is trained on

    inputs = (latents - shift) scale            or, where the config has statistics by channel,
    inputs = (latents - mean) / std scale

as the pipelines of these autoencoders do it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput, Missing

CONFIG = "config.json"
# Class -> (the field whose length tells how often it halves, scale where the config has none).
CLASSES: dict[str, tuple[str, float]] = {
    "AutoencoderKL": ("block_out_channels", 0.18215),
    "AutoencoderDC": ("encoder_block_out_channels", 1.0),
    "AutoencoderTiny": ("encoder_block_out_channels", 1.0),
}
# The same where the config leaves the field out: diffusers' own default.
DEFAULT_LEVELS = {"AutoencoderKL": 1, "AutoencoderDC": 6, "AutoencoderTiny": 4}
DEFAULT_CHANNELS = {"AutoencoderKL": 4, "AutoencoderDC": 32, "AutoencoderTiny": 4}


@dataclass(frozen=True)
class Shape:
    """An autoencoder's numbers: image (N, 3, H, W) to latent (N, channels, H/factor, W/factor)."""

    architecture: str  # the class
    channels: int  # of a latent
    factor: int  # image size / latent size
    scale: float
    shift: float
    mean: tuple[float, ...] | None  # by channel
    std: tuple[float, ...] | None


def folder_of(weights: str | Path) -> Path:
    """The folder with config.json: `weights` or its `vae`, where a whole pipeline lies.

    Raises Missing when there is none.
    """
    for place in (Path(weights), Path(weights) / "vae"):
        if (place / CONFIG).is_file():
            return place
    raise Missing(
        f"{weights} holds no {CONFIG}: give autoencoder.weights the folder of a diffusers "
        f"autoencoder ({', '.join(CLASSES)}), or of a pipeline with one in its folder vae"
    )


def read(weights: str | Path) -> Shape:
    """The numbers of the autoencoder in a folder.

    Raises Missing without a config.json, BadInput for one that cannot be read, or of a class that
    is not known here, naming those that are.
    """
    path = folder_of(weights) / CONFIG
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    if not isinstance(content, Mapping):
        raise BadInput(f"{path} is not an autoencoder's: it holds no mapping")
    architecture = content.get("_class_name")
    if architecture not in CLASSES:
        raise BadInput(
            f"{path} is of the class {architecture!r}; the autoencoders that can be used are "
            f"{', '.join(CLASSES)}"
        )
    try:
        return shape(architecture, content)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{path} does not describe an {architecture}: {error}") from None


def shape(architecture: str, content: Mapping[str, Any]) -> Shape:
    """The numbers that a config of one of CLASSES says. Raises TypeError and ValueError."""
    field, scale = CLASSES[architecture]
    levels = content.get(field)
    count = DEFAULT_LEVELS[architecture] if levels is None else len(levels)
    mean, std = (_by_channel(content.get(f"latents_{name}")) for name in ("mean", "std"))
    if (mean is None) != (std is None):
        raise ValueError("latents_mean and latents_std are both given, or neither is")
    found = Shape(
        architecture,
        int(content.get("latent_channels") or DEFAULT_CHANNELS[architecture]),
        2 ** (count - 1),
        float(content.get("scaling_factor") or scale),
        float(content.get("shift_factor") or 0.0),
        mean,
        std,
    )
    for name, values in (("latents_mean", mean), ("latents_std", std)):
        if values is not None and len(values) != found.channels:
            raise ValueError(f"{name} has {len(values)} values for {found.channels} channels")
    for name in ("in_channels", "out_channels"):
        if (given := content.get(name, 3)) != 3:
            raise ValueError(f"{name} is {given}, and images have 3")
    return found


def _by_channel(values: Any) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in values)
