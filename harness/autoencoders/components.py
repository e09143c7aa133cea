"""The autoencoders as components: shapes and decoders. Weights are `loading`'s."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.autoencoders import properties
from harness.components.autoencoder import Autoencoder
from harness.errors import BadInput


class _Built(Autoencoder):
    """What ours share: `properties` has their numbers."""

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
    decoders: ClassVar[tuple[str, ...]] = properties.decoder_names("identity")


class StableDiffusion(_Built):
    """Stable Diffusion's KL autoencoder: 8 times smaller, 4 channels, three decoders (Table 4)."""

    name = "sd-vae"
    needs_weights: ClassVar[bool] = True
    decoders: ClassVar[tuple[str, ...]] = properties.decoder_names("sd-vae")
