"""The autoencoders as components: shapes and decoders. Weights are `loading`'s."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from harness.autoencoders import places, properties
from harness.components import weight_files
from harness.components.autoencoder import Autoencoder
from harness.errors import BadInput, HarnessError


class _Built(Autoencoder):
    """The common part of the built-in autoencoders: `properties` has their numbers."""

    @property
    def _properties(self) -> properties.Properties:
        return properties.properties(self.name)

    def latent_shape(self, image_size: int, channels: int) -> tuple[int, int, int]:
        factor = self._properties.factor
        latent_channels = properties.channels(self.name, channels)
        if image_size % factor:
            raise BadInput(
                f"data.image_size {image_size} is not divisible by the {self.name} autoencoder's "
                f"factor {factor}"
            )
        return latent_channels, image_size // factor, image_size // factor

    def load(
        self,
        *,
        weights: str | None = None,
        decoder: str = "original",
        device: str = "cpu",
        image_channels: int = 3,
    ) -> Any:
        from harness.autoencoders.loading import load

        return load(
            self.name,
            decoder=decoder,
            weights=weights,
            device=device,
            image_channels=image_channels,
        )


class Identity(_Built):
    """Pixels in [-1, 1] are the latents."""

    name = "identity"
    exact: ClassVar[bool] = True
    decoders: ClassVar[tuple[str, ...]] = properties.decoder_names("identity")

    def decoder_gflops(self, image_size: int, weights: str | None = None) -> float | None:
        """Nothing is decoded."""
        return 0.0


class StableDiffusion(_Built):
    """Stable Diffusion's KL autoencoder: 8 times smaller, 4 channels, three decoders (Table 4)."""

    name = "sd-vae"
    decoders: ClassVar[tuple[str, ...]] = properties.decoder_names("sd-vae")

    def decoder_gflops(self, image_size: int, weights: str | None = None) -> float | None:
        """The same for each of its decoders, which differ in their weights alone."""
        from harness.autoencoders.counting import decoder_gflops

        return decoder_gflops(None, image_size)

    def missing(self, weights: str | None) -> str | None:
        if weights is not None:
            if Path(weights).exists():
                return _holds_none(Path(weights))
            return f"autoencoder weights are not at {weights} (autoencoder.weights)"
        if _hub_has_one():
            return None
        return (
            f"the {self.name} weights are not in the Hugging Face cache; they are "
            "downloaded when first needed, which wants a network: without one, say "
            "--set autoencoder.weights=FOLDER (a diffusers folder with config.json, or with "
            "one such folder per decoder in it: original/, ft-mse/, ft-ema/)"
        )

    def missing_decoder(self, weights: str | None, decoder: str) -> str | None:
        if weights is None or not Path(weights).exists():
            return None  # the hub's, or `missing` has said it
        try:
            places.folder_of(self.name, decoder, weights)
        except HarnessError as error:
            return str(error)
        return None


def _holds_none(folder: Path) -> str | None:
    """Why a folder, or those in it, hold no weights; None: they do."""
    try:
        places = [folder, *(p for p in folder.iterdir() if p.is_dir())]
        if any(weight_files.find(p, endings=weight_files.SAFE) for p in places):
            return None
    except OSError as error:
        return f"{folder} (autoencoder.weights) cannot be read: {error.strerror}"
    except BadInput as error:
        return str(error)
    return (
        f"{folder} (autoencoder.weights) holds no {weight_files.DIFFUSERS}.safetensors, and no "
        "folder in it does (pickles are not loaded)"
    )


def _hub_has_one() -> bool:
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    return any(cache.glob("models--*vae*")) or any(cache.glob("models--*stable-diffusion*"))
