"""The laws of autoencoders. Those with weights are checked once loaded: `check_codec`."""

from __future__ import annotations

from typing import Any

from harness.components.autoencoder import Autoencoder
from harness.errors import BadInput


def the_default_decoder_is_there(autoencoder: Autoencoder) -> None:
    """`original` is among the decoders."""
    assert "original" in autoencoder.decoders, (
        "`original` is what a study means that names no decoder"
    )


def latents_are_square_and_have_channels(autoencoder: Autoencoder) -> None:
    """The latent of an image of 256 pixels is square and has channels."""
    channels, height, width = autoencoder.latent_shape(256, 3)
    assert channels >= 1 and height == width >= 1, f"latents of 256 pixels: {channels, height}"


def sizes_that_do_not_fit_are_refused(autoencoder: Autoencoder) -> None:
    """An image size that the factor does not divide raises BadInput."""
    factor = 256 // autoencoder.latent_shape(256, 3)[1]
    if factor == 1:
        return
    try:
        autoencoder.latent_shape(256 + 1, 3)
    except BadInput:
        return
    raise AssertionError(
        f"an image of 257 pixels is not a multiple of {factor}, and is not refused"
    )


def check_codec(autoencoder: Autoencoder, codec: Any, image_size: int = 32) -> None:
    """The laws of a loaded autoencoder: shapes as promised, both ways. Raises AssertionError."""
    import torch

    images = torch.rand(2, 3, image_size, image_size) * 2 - 1
    found = codec.encode(images)
    latents = found[0] if isinstance(found, tuple) else found
    alone = codec.encode(images[1:])
    alone = alone[0] if isinstance(alone, tuple) else alone
    assert torch.allclose(alone, latents[1:], rtol=1e-3, atol=1e-4), (
        "the latent of an image is another in another batch"
    )
    promised = autoencoder.latent_shape(image_size, 3)
    shape = tuple(latents.shape[1:])
    assert shape == promised or shape == (2 * promised[0], *promised[1:]), (
        f"latents are {shape}; promised are {promised} (or twice the channels: a posterior)"
    )
    back = codec.decode(latents[:, : promised[0]].float())
    assert tuple(back.shape) == tuple(images.shape), f"decoded images are {tuple(back.shape)}"


def what_is_loaded_keeps_its_promises(autoencoder: Autoencoder) -> None:
    """Where its weights are at hand, the loaded autoencoder passes `check_codec`."""
    if autoencoder.missing(None) is None:
        check_codec(autoencoder, autoencoder.load())


LAWS = (
    the_default_decoder_is_there,
    latents_are_square_and_have_channels,
    sizes_that_do_not_fit_are_refused,
    what_is_loaded_keeps_its_promises,
)
