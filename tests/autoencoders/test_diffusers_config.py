"""What a config.json says, for each class and each published autoencoder's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_diffusers import PUBLISHED, save, write_config

from harness.autoencoders import diffusers_config
from harness.errors import BadInput, Missing


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_numbers_of_published_autoencoders_are_read(name: str, tmp_path: Path) -> None:
    _, architecture, channels, factor, scale, shift = PUBLISHED[name]
    found = diffusers_config.read(save(name, tmp_path))
    assert (found.architecture, found.channels, found.factor) == (architecture, channels, factor)
    assert (found.scale, found.shift) == (scale, shift) and found.mean is found.std is None
    (tmp_path / "pipeline").mkdir()
    (tmp_path / name).rename(tmp_path / "pipeline" / "vae")
    assert diffusers_config.read(tmp_path / "pipeline") == found


@pytest.mark.parametrize("architecture", diffusers_config.CLASSES)
def test_what_a_config_leaves_out_is_what_diffusers_takes(
    architecture: str, tmp_path: Path
) -> None:
    import diffusers

    found = diffusers_config.read(write_config(tmp_path, _class_name=architecture))
    config = getattr(diffusers, architecture).load_config(tmp_path)
    whole = {**_defaults(architecture), **config}
    assert found.channels == whole["latent_channels"]
    assert found.scale == whole["scaling_factor"] and found.shift == 0.0
    levels = whole.get("encoder_block_out_channels") or whole["block_out_channels"]
    assert found.factor == 2 ** (len(levels) - 1)


def _defaults(architecture: str) -> dict[str, Any]:
    import inspect

    import diffusers

    signature = inspect.signature(getattr(diffusers, architecture).__init__)
    return {k: p.default for k, p in signature.parameters.items() if k != "self"}


def test_statistics_by_channel_are_read(tmp_path: Path) -> None:
    said = {"_class_name": "AutoencoderKL", "latents_mean": [1, 2, 3, 4], "latents_std": [2] * 4}
    found = diffusers_config.read(write_config(tmp_path, **said))
    assert found.mean == (1.0, 2.0, 3.0, 4.0) and found.std == (2.0,) * 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"_class_name": "AutoencoderKLWan"},
            "'AutoencoderKLWan'; .*AutoencoderKL, AutoencoderDC, AutoencoderTiny",
        ),
        ({}, "of the class None"),
        ({"_class_name": "AutoencoderKL", "in_channels": 1}, "in_channels is 1, and images have 3"),
        ({"_class_name": "AutoencoderKL", "latents_mean": [1.0] * 4}, "both given, or neither"),
        (
            {"_class_name": "AutoencoderKL", "latents_mean": [1.0], "latents_std": [1.0]},
            "latents_mean has 1 values for 4 channels",
        ),
        ({"_class_name": "AutoencoderKL", "scaling_factor": "x"}, "does not describe an Auto"),
        ({"_class_name": "AutoencoderKL", "block_out_channels": 3}, "does not describe an Auto"),
    ],
)
def test_what_is_not_known_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        diffusers_config.read(write_config(tmp_path, **content))


def test_no_config_and_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"holds no config\.json: give autoencoder\.weights"):
        diffusers_config.read(tmp_path)
    for text, said in (("{", "cannot be read"), ("[]", "holds no mapping")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(BadInput, match=said):
            diffusers_config.read(tmp_path)
