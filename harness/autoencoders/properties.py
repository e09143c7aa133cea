"""A table of each autoencoder's fixed numbers. No torch here, so that planning may read it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import BadInput


@dataclass(frozen=True)
class Properties:
    """One autoencoder: image (N, 3, H, W) to latent (N, channels, H / factor, W / factor)."""

    factor: int  # image size / latent size
    channels: int | None  # of a latent; None: those of the image
    scale: float  # latents are multiplied by this, so that their variance is near 1
    decoders: dict[str, str | None]  # decoder -> repository on the Hugging Face hub


AUTOENCODERS: dict[str, Properties] = {
    # Pixels in [-1, 1] are the latents.
    "identity": Properties(factor=1, channels=None, scale=1.0, decoders={"original": None}),
    # Latent diffusion's KL autoencoder; the paper's Table 4 has three decoders for one encoder.
    "sd-vae": Properties(
        factor=8,
        channels=4,
        scale=0.18215,
        decoders={
            "original": "CompVis/stable-diffusion-v1-4",  # in its subfolder "vae"
            "ft-mse": "stabilityai/sd-vae-ft-mse",
            "ft-ema": "stabilityai/sd-vae-ft-ema",
        },
    ),
}


def properties(name: str) -> Properties:
    """The row of an autoencoder. Raises BadInput for an unknown name, listing the known ones."""
    if name not in AUTOENCODERS:
        raise BadInput(f"unknown autoencoder {name!r}; there are {', '.join(AUTOENCODERS)}")
    return AUTOENCODERS[name]


def factor(name: str) -> int:
    """Image size / latent size."""
    return properties(name).factor


def channels(name: str, image_channels: int = 3) -> int:
    """Channels of a latent, for images of `image_channels` channels.

    Raises BadInput if the autoencoder cannot take such images.
    """
    latent_channels = properties(name).channels
    if latent_channels is None:
        return image_channels
    if image_channels != 3:
        raise BadInput(f"autoencoder {name!r} takes images of 3 channels, not {image_channels}")
    return latent_channels


def decoder_names(name: str) -> tuple[str, ...]:
    """The decoders that can be chosen when decoding (paper, Table 4)."""
    return tuple(properties(name).decoders)
