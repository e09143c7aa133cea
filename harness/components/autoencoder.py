"""Autoencoders: `autoencoder.name` in a study.

What turns images (N, 3, H, W) in [-1, 1] into the model's inputs and back.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.base import Component

if TYPE_CHECKING:
    from torch import Tensor

BUILT_IN = {
    "identity": "harness.autoencoders.components:Identity",
    "sd-vae": "harness.autoencoders.components:StableDiffusion",
    "diffusers": "harness.autoencoders.diffusers_component:Diffusers",
}


class Codec:
    """A loaded autoencoder. What derives from it, or has the same attributes, will do.

    sha256: of the encoder's parameters, None without weights; decoder_sha256: of the decoder's.
    scale: what latents are multiplied by before the network sees them, so that their variance is
    near 1; `decode` is given them so. pixels: the latents are the images, kept as they are in
    uint8, and `encode` is never called.
    """

    sha256: str | None = None
    decoder_sha256: str | None = None
    scale: float = 1.0
    pixels: bool = False

    def encode(self, images: Tensor) -> Any:
        """(N, 3, H, W) in [-1, 1] to latents (N, C, h, w), or to a posterior's (mean, std).

        Before `scale`. A latent depends on its image alone, not on the batch.
        """
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        """(N, C, h, w) to images (N, 3, H, W)."""
        raise NotImplementedError


class Autoencoder(Component):
    """An autoencoder. Its settings are the fields of a study's `autoencoder` section."""

    kind: ClassVar[str] = "autoencoder"
    decoders: ClassVar[tuple[str, ...]] = ("original",)  # that can be chosen when decoding
    exact: ClassVar[bool] = False  # decoding what was encoded gives the very image

    @abstractmethod
    def latent_shape(self, image_size: int, channels: int) -> tuple[int, int, int]:
        """(channels, side, side) of a latent for images of this size.

        Raises BadInput, naming what would fit, when such images cannot be encoded.
        """

    def missing(self, weights: str | None) -> str | None:
        """A sentence that names what loading needs and this machine lacks; None: nothing."""
        return None

    def missing_decoder(self, weights: str | None, decoder: str) -> str | None:
        """The same of one of its decoders, where its weights lie apart; None: nothing."""
        return None

    def decoder_gflops(self, image_size: int, weights: str | None = None) -> float | None:
        """10^9 multiply-accumulates to decode one image; None: not known.

        weights: the folder on this machine, for an autoencoder whose design is told there. Counting
        may import torch.
        """
        return None

    @abstractmethod
    def load(
        self,
        *,
        weights: str | None = None,
        decoder: str = "original",
        device: str = "cpu",
        image_channels: int = 3,
    ) -> Any:
        """The loaded codec (see Codec). weights: a folder on this machine; None: the hub.

        Raises Missing when weights are not to be had, BadInput when they do not fit.
        """
