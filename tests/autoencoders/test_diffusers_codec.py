"""Each class both ways, against diffusers' own encode and decode."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_diffusers import PUBLISHED, save, small_kl

import harness.testing
from harness.autoencoders.diffusers_component import Diffusers
from harness.data import ArrayImages, Latents, encode
from harness.data.encoding import latent_settings
from harness.errors import BadInput, Missing
from harness.testing.autoencoder import check_codec


def component(folder: Path, **given: Any) -> Diffusers:
    section = SimpleNamespace(weights=str(folder), sha256=None)
    return Diffusers.model_validate(Diffusers.complete(given, section))


def images(size: int) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def theirs(name: str, folder: Path) -> Any:
    import diffusers

    return getattr(diffusers, PUBLISHED[name][1]).from_pretrained(folder).eval()


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_it_encodes_and_decodes_as_diffusers_does(name: str, tmp_path: Path) -> None:
    """With the pipelines' own arithmetic: (z - shift) scale in, z / scale + shift out."""
    _, _, channels, factor, scale, shift = PUBLISHED[name]
    folder = save(name, tmp_path)
    about, model = component(folder), theirs(name, folder)
    codec = about.load(weights=str(folder))
    size = 2 * factor
    assert about.latent_shape(size, 3) == (channels, 2, 2)
    with torch.no_grad():
        encoded = model.encode(images(size))
        z = next(
            getattr(encoded, field)
            for field in ("latent_dist", "latent", "latents")
            if hasattr(encoded, field)
        )
        z = z.mean if hasattr(z, "mean") and not torch.is_tensor(z) else z
        decoded = model.decode(z).sample
    mean, std = codec.encode(images(size))
    torch.testing.assert_close(mean * codec.scale, (z - shift) * scale)
    assert std.shape == mean.shape and bool((std >= 0).all())
    assert (std.abs().max() == 0) == (PUBLISHED[name][1] != "AutoencoderKL")
    torch.testing.assert_close(codec.decode((z - shift) * scale), decoded, rtol=1e-4, atol=1e-4)
    check_codec(about, codec, size)
    assert codec.sha256 and codec.decoder_sha256 and codec.sha256 != codec.decoder_sha256


@pytest.mark.parametrize("name", ["sdxl", "dc-ae-f32", "tiny"])
def test_the_component_keeps_its_contract(name: str, tmp_path: Path) -> None:
    folder = save(name, tmp_path)
    harness.testing.check("autoencoder", component(folder))


@pytest.mark.slow
def test_statistics_by_channel_are_applied_as_the_pipelines_do(tmp_path: Path) -> None:
    mean, std = [0.1, -0.2, 0.3, 0.0], [1.0, 2.0, 0.5, 4.0]
    small_kl(0, latents_mean=mean, latents_std=std).save_pretrained(tmp_path)
    codec = component(tmp_path).load(weights=str(tmp_path))
    from diffusers import AutoencoderKL

    model = AutoencoderKL.from_pretrained(tmp_path)
    with torch.no_grad():
        z = model.encode(images(16)).latent_dist
        decoded = model.decode(z.mean).sample
    m, s = (torch.tensor(v)[None, :, None, None] for v in (mean, std))
    inputs = (z.mean - m) * 0.18215 / s
    torch.testing.assert_close(codec.encode(images(16))[0] * codec.scale, inputs)
    torch.testing.assert_close(codec.encode(images(16))[1], z.std / s)
    torch.testing.assert_close(codec.decode(inputs), decoded, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flux", "dc-ae-f32"])
def test_stored_latents_are_what_the_pipelines_train_on(name: str, tmp_path: Path) -> None:
    """Through the disk: what training reads decodes to what diffusers decodes."""
    _, _, _, factor, scale, shift = PUBLISHED[name]
    folder = save(name, tmp_path)
    codec, size = component(folder).load(weights=str(folder)), 2 * factor
    pixels = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    source = ArrayImages(pixels, np.arange(3) % 2, ["a", "b"])
    settings = latent_settings(source, codec, size, 3, dtype="float32")
    encode(source, codec, tmp_path / "latents", settings).finish()
    x, _ = Latents.open(tmp_path / "latents").batch(np.arange(3))
    model = theirs(name, folder)
    given = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        encoded = model.encode(given)
        z = encoded.latent_dist.mean if hasattr(encoded, "latent_dist") else encoded.latent
    torch.testing.assert_close(x, (z - shift) * scale, rtol=1e-4, atol=1e-5)


def test_the_numbers_that_the_weights_decide_are_compared(tmp_path: Path) -> None:
    folder = save("sdxl", tmp_path)
    with pytest.raises(BadInput, match=r"channels is 16, and the autoencoder in .* has 4: leave"):
        component(folder, channels=16)
    scaled = component(folder, scale=0.5)  # one's own images may want another
    assert scaled.scale == 0.5 and scaled.load(weights=str(folder)).scale == 0.5
    other = component(save("tiny", tmp_path))
    with pytest.raises(BadInput, match="has architecture 'AutoencoderKL', and the study was"):
        other.load(weights=str(folder))


def test_missing_and_damaged_weights_are_told(tmp_path: Path) -> None:
    folder = save("tiny", tmp_path)
    about = component(folder)
    path = folder / "diffusion_pytorch_model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match="cannot be loaded as AutoencoderTiny"):
        about.load(weights=str(folder))
    path.unlink()
    with pytest.raises(Missing, match=r"holds no diffusion_pytorch_model\.safetensors"):
        about.load(weights=str(folder))
    with pytest.raises(Missing, match="weights is not set"):
        about.load()
    assert "weights is not set" in str(about.missing(None))
    assert "holds no config" in str(about.missing(str(tmp_path / "no")))
    assert "holds no weights beside its config.json" in str(about.missing(str(folder)))
    path.write_bytes(content)
    assert about.missing(str(folder)) is None


@pytest.mark.parametrize(
    "saved",
    [
        {"variant": "fp16"},
        {"max_shard_size": "20KB"},
        {"max_shard_size": "20KB", "variant": "fp16"},
        {"variant": "non_ema"},
    ],
    ids=("variant", "parts", "variant in parts", "not averaged"),
)
def test_weights_in_parts_and_variants_are_loaded(saved: dict[str, Any], tmp_path: Path) -> None:
    model = PUBLISHED["tiny"][0](0)
    model.save_pretrained(tmp_path, **saved)
    assert not (tmp_path / "diffusion_pytorch_model.safetensors").exists()
    about = component(tmp_path)
    assert about.missing(str(tmp_path)) is None
    loaded = about.load(weights=str(tmp_path)).model.state_dict()
    assert all(torch.equal(loaded[name], t) for name, t in model.state_dict().items())
    if "max_shard_size" in saved:
        next(tmp_path.glob("*-00002-of-*")).unlink()
        assert "of them are not there (diffusion" in str(about.missing(str(tmp_path)))
        with pytest.raises(BadInput, match="copy the whole folder"):
            about.load(weights=str(tmp_path))
