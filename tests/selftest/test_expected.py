"""What the self-test expects agrees with what the harness itself goes by."""

from __future__ import annotations

from harness.autoencoders.properties import decoder_names, properties
from harness.metrics.inception import HASH
from harness.selftest import expected


def test_published_values_are_of_the_files_and_shapes_that_the_harness_uses() -> None:
    assert expected.INCEPTION_SHA256.value.startswith(HASH)
    ours = properties("sd-vae")
    shape = f"factor {ours.factor}, {ours.channels} channels, scale {ours.scale:g}"
    assert shape == expected.VAE_SHAPE.value
    assert set(expected.VAE_PSNR) == set(decoder_names("sd-vae"))
    assert set(expected.VAE_SHA256) <= set(decoder_names("sd-vae"))
