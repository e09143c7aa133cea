"""The autoencoders that are built in: shapes, decoders and what is missing, without weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.autoencoders.components import Identity, StableDiffusion
from harness.errors import BadInput


@pytest.mark.parametrize("channels", [1, 3])
def test_the_identitys_latents_are_the_images(channels: int) -> None:
    identity = Identity()
    assert identity.latent_shape(17, channels) == (channels, 17, 17)
    assert identity.exact and identity.decoder_gflops(256) == 0.0
    assert identity.missing(None) is None and identity.decoders == ("original",)
    assert identity.load(image_channels=channels).channels == channels


def test_the_vaes_latents_are_eight_times_smaller() -> None:
    vae = StableDiffusion()
    assert vae.latent_shape(256, 3) == (4, 32, 32)
    assert not vae.exact and vae.decoders == ("original", "ft-mse", "ft-ema")
    with pytest.raises(BadInput, match="250 is not divisible by the sd-vae autoencoder's factor 8"):
        vae.latent_shape(250, 3)
    with pytest.raises(BadInput, match="3 channels, not 1"):
        vae.latent_shape(256, 1)


def test_keys_of_stages_hold_the_name_alone() -> None:
    """As at release 0.1: a setting that appeared here would move every key."""
    assert [one.content() for one in (Identity(), StableDiffusion())] == ["identity", "sd-vae"]


def test_weights_that_a_study_names_are_looked_for_there(tmp_path: Path) -> None:
    vae = StableDiffusion()
    assert "holds no diffusion_pytorch_model.safetensors" in str(vae.missing(str(tmp_path)))
    (tmp_path / "ft-mse").mkdir()
    (tmp_path / "ft-mse" / "diffusion_pytorch_model.fp16.safetensors").touch()
    assert vae.missing(str(tmp_path)) is None
    assert "cannot be read" in str(
        vae.missing(str(tmp_path / "ft-mse" / "diffusion_pytorch_model.fp16.safetensors"))
    )
    assert f"not at {tmp_path}/no" in str(vae.missing(f"{tmp_path}/no"))


@pytest.mark.parametrize("variable", ["HF_HOME", "HF_HUB_CACHE"])
@pytest.mark.parametrize("repository", ["stabilityai--sd-vae-ft-mse", "CompVis--stable-diffusion"])
def test_the_hubs_cache_is_looked_at_where_its_variables_say(
    variable: str, repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "cache"))
    vae = StableDiffusion()
    told = vae.missing(None)
    assert told is not None and "--set autoencoder.weights=FOLDER" in told and "ft-ema/" in told
    hub = tmp_path / "cache" / ("hub" if variable == "HF_HOME" else "")
    (hub / "models--bert").mkdir(parents=True)
    assert vae.missing(None) is not None  # another model is no autoencoder
    (hub / f"models--{repository}").mkdir()
    assert vae.missing(None) is None
