"""The identity and the example's autoencoder keep the laws; a broken one is found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import harness.testing
from harness.components.autoencoder import Autoencoder, Codec
from harness.errors import BadInput
from harness.testing import autoencoder as laws

sys.path.insert(0, str(Path(__file__).parents[1] / "example_components"))

from harness_example.autoencoder import Folded, Folding


def test_ours_and_a_strangers_keep_every_law() -> None:
    harness.testing.check("autoencoder", "identity")
    harness.testing.check("autoencoder", Folded)


class Broken(Folded):
    """Folded, changed in one thing."""

    name: ClassVar[str] = "broken"
    codec: ClassVar[type[Codec]] = Folding

    def load(self, **_: Any) -> Any:
        return self.codec()


class Grey(Folding):
    """Loses the colours."""

    def decode(self, latents: Any) -> Any:
        return super().decode(latents)[:, :1]


class Wide(Folding):
    """Keeps the size."""

    def encode(self, images: Any) -> Any:
        return images


class Together(Folding):
    """Centres the batch."""

    def encode(self, images: Any) -> Any:
        found = super().encode(images)
        return found - found.mean(dim=0)


CODEC = laws.what_is_loaded_keeps_its_promises
BROKEN_CODECS = [
    (Grey, CODEC, "decoded images are"),
    (Wide, CODEC, r"latents are .* promised are \(12, 16, 16\)"),
    (Together, CODEC, "in another batch"),
]


@pytest.mark.parametrize(("codec", "law", "said"), BROKEN_CODECS)
def test_a_broken_promise_of_the_codec_is_named(codec: type[Codec], law: Any, said: str) -> None:
    cls = type("Changed", (Broken,), {"codec": codec, "__doc__": "x", "__module__": __name__})
    with pytest.raises(AssertionError, match=said):
        law(cls())


class Lenient(Folded):
    """Takes any size."""

    name: ClassVar[str] = "lenient"

    def latent_shape(self, image_size: int, channels: int) -> tuple[int, int, int]:
        return 12, image_size // 2, image_size // 2


class Oblong(Folded):
    """Its latents are no squares."""

    name: ClassVar[str] = "oblong"

    def latent_shape(self, image_size: int, channels: int) -> tuple[int, int, int]:
        return 6, image_size // 2, image_size


class Otherwise(Folded):
    """Has no decoder of the usual name."""

    name: ClassVar[str] = "otherwise"
    decoders: ClassVar[tuple[str, ...]] = ("sharp",)


BROKEN = [
    (Lenient, laws.sizes_that_do_not_fit_are_refused, "is not refused"),
    (Oblong, laws.latents_are_square_and_have_channels, "latents of 256 pixels"),
    (Otherwise, laws.the_default_decoder_is_there, "original"),
]


@pytest.mark.parametrize(("cls", "law", "said"), BROKEN)
def test_a_broken_promise_is_named(cls: type[Autoencoder], law: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        law(cls())


def test_the_example_loses_nothing_and_says_no_early() -> None:
    images = torch.rand(2, 3, 8, 8)
    codec = Folded().load()
    assert torch.equal(codec.decode(codec.encode(images)), images)
    with pytest.raises(BadInput, match="of an even size, not 3x9"):
        Folded().latent_shape(9, 3)
