"""The contract of autoencoders: what one that says nothing more is taken for."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from harness.components import Autoencoder, Codec, get, names
from harness.components.autoencoder import BUILT_IN
from harness.errors import BadInput


class Halves(Autoencoder):
    """A quarter of the pixels."""

    name: ClassVar[str] = "halves"

    def latent_shape(self, image_size: int, channels: int) -> tuple[int, int, int]:
        if image_size % 2:
            raise BadInput(f"image_size {image_size}: give an even one")
        return channels, image_size // 2, image_size // 2

    def load(self, **_: Any) -> Codec:
        return Codec()


def test_one_that_says_nothing_more_needs_nothing_and_promises_nothing() -> None:
    mine = Halves()
    assert mine.missing(None) is None and mine.decoder_gflops(64) is None
    assert mine.decoders == ("original",) and not mine.exact
    with pytest.raises(BadInput, match="give an even one"):
        mine.latent_shape(7, 3)


def test_a_codec_that_does_nothing_has_no_weights_and_keeps_the_scale() -> None:
    codec = Halves().load()
    assert (codec.sha256, codec.decoder_sha256, codec.scale, codec.pixels) == (None, None, 1, False)
    with pytest.raises(NotImplementedError):
        codec.encode(None)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        codec.decode(None)  # type: ignore[arg-type]


def test_ours_give_square_latents_of_the_shapes_of_their_papers() -> None:
    assert set(BUILT_IN) <= set(names("autoencoder"))
    shapes = {name: get("autoencoder", name)() for name in ("identity", "sd-vae")}
    assert shapes["identity"].latent_shape(8, 1) == (1, 8, 8)  # type: ignore[attr-defined]
    assert shapes["sd-vae"].latent_shape(256, 3) == (4, 32, 32)  # type: ignore[attr-defined]
