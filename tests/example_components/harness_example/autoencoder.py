"""An autoencoder without weights: squares of pixels are folded into channels, and back.

autoencoder: {name: folded}
"""

from typing import ClassVar

from harness.components import Autoencoder, Codec
from harness.errors import BadInput

SIDE = 2  # of a square


class Folded(Autoencoder):
    """Half the size, four times the channels; nothing is lost."""

    name: ClassVar[str] = "folded"

    def latent_shape(self, image_size, channels):
        if channels != 3 or image_size % SIDE:
            raise BadInput(f"folded takes RGB images of an even size, not {channels}x{image_size}")
        return channels * SIDE**2, image_size // SIDE, image_size // SIDE

    def load(self, *, weights=None, decoder="original", device="cpu", image_channels=3):
        return Folding()


class Folding(Codec):
    """The loaded autoencoder."""

    def encode(self, images):
        from torch.nn.functional import pixel_unshuffle

        return pixel_unshuffle(images, SIDE)

    def decode(self, latents):
        from torch.nn.functional import pixel_shuffle

        return pixel_shuffle(latents, SIDE)
