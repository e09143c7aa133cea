from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from small_vae import WEIGHTS, save_decoders, small_kl

from harness.autoencoders import load, to_unit
from harness.data import ArrayImages, Latents, encode
from harness.data.encoding import latent_settings
from harness.errors import BadInput, Missing


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """Three decoders on one encoder."""
    return save_decoders(tmp_path_factory.mktemp("weights"))


def images(count: int = 3, size: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_identity_returns_what_it_is_given() -> None:
    identity = load("identity")
    assert (identity.factor, identity.channels, identity.scale, identity.sha256) == (
        1,
        3,
        1.0,
        None,
    )
    x = images(2, 8)
    mean, std = identity.encode(x)
    assert torch.equal(mean, x) and std.abs().max() == 0
    assert torch.equal(identity.decode(x), x)
    assert load("identity", image_channels=1).channels == 1


def test_the_vae_encodes_and_decodes_as_diffusers_does(weights) -> None:
    from diffusers import AutoencoderKL

    vae = load("sd-vae", weights=weights)
    assert (vae.factor, vae.channels, vae.scale) == (8, 4, 0.18215)
    reference = AutoencoderKL.from_pretrained(weights / "original")
    with torch.no_grad():
        posterior = reference.encode(images()).latent_dist
        decoded = reference.decode(posterior.mean).sample
    mean, std = vae.encode(images())
    assert mean.shape == std.shape == (3, 4, 4, 4)
    torch.testing.assert_close(mean, posterior.mean)
    torch.testing.assert_close(std, posterior.std)
    torch.testing.assert_close(vae.decode(mean * 0.18215), decoded, rtol=1e-4, atol=1e-5)
    assert not vae.decode(mean).requires_grad


@pytest.mark.slow
def test_the_three_decoders_share_one_encoder(weights) -> None:
    vaes = [load("sd-vae", decoder, weights) for decoder in ("original", "ft-mse", "ft-ema")]
    assert len({vae.sha256 for vae in vaes}) == 1
    assert len({vae.decoder_sha256 for vae in vaes}) == 3
    latents = vaes[0].encode(images())[0] * vaes[0].scale
    decoded = [vae.decode(latents) for vae in vaes]
    assert not torch.equal(decoded[0], decoded[1]) and not torch.equal(decoded[1], decoded[2])


def test_one_folder_may_hold_the_model_itself_which_is_no_other_decoder(weights) -> None:
    found = load("sd-vae", weights=weights / "original")
    assert found.decoder_sha256 == load("sd-vae", weights=weights).decoder_sha256
    for decoder in ("ft-mse", "ft-ema"):
        with pytest.raises(
            BadInput, match=rf"holds one model.*original/ and {decoder}/, each with"
        ):
            load("sd-vae", decoder, weights / "original")


@pytest.mark.slow
def test_the_checksum_is_compared_when_given(weights) -> None:
    path = weights / "original" / WEIGHTS
    file = hashlib.sha256(path.read_bytes()).hexdigest()
    encoder = load("sd-vae", weights=weights, sha256=file).sha256
    assert load("sd-vae", "ft-ema", weights, sha256=encoder).sha256 == encoder
    with pytest.raises(BadInput, match=f"{file}.*not {'0' * 64}"):
        load("sd-vae", weights=weights, sha256="0" * 64)


def test_weights_that_are_not_there_are_missing_and_named(tmp_path) -> None:
    put = r"put config\.json and diffusion_pytorch_model\.safetensors of \S+"
    with pytest.raises(Missing, match=f"{put} into its subfolder ft-mse"):
        load("sd-vae", "ft-mse", tmp_path)
    with pytest.raises(Missing, match=f"{put} there, or into its subfolder original"):
        load("sd-vae", weights=tmp_path)
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(Missing, match="is a pickle and is not loaded"):
        load("sd-vae", "ft-mse", tmp_path)


def test_without_a_network_the_error_says_what_to_fetch(monkeypatch) -> None:
    asked = []

    def unreachable(repository, allow_patterns, local_files_only):
        asked.append((repository, local_files_only))
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(Missing, match=r"no route to host.*vae/config\.json.*autoencoder\.weights"):
        load("sd-vae")
    with pytest.raises(Missing, match=r"stabilityai/sd-vae-ft-mse.* into a folder ft-mse and give"):
        load("sd-vae", "ft-mse")
    assert asked[:2] == [
        ("CompVis/stable-diffusion-v1-4", True),
        ("CompVis/stable-diffusion-v1-4", False),
    ]


def test_an_error_of_the_network_without_a_message_is_named(monkeypatch) -> None:
    def silent(repository, allow_patterns, local_files_only):
        raise TimeoutError

    monkeypatch.setattr("huggingface_hub.snapshot_download", silent)
    with pytest.raises(Missing, match=r"cannot be downloaded \(TimeoutError\); fetch"):
        load("sd-vae")


def test_what_the_hub_has_is_loaded_from_its_cache(weights, tmp_path, monkeypatch) -> None:
    shutil.copytree(weights / "original", tmp_path / "vae")

    def cached(repository, allow_patterns, local_files_only):
        assert local_files_only, "the cache is asked first"
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", cached)
    assert load("sd-vae").sha256 == load("sd-vae", weights=weights).sha256


def test_damaged_and_unfitting_weights_are_refused(weights, tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    def copy(name: str) -> Path:
        return Path(shutil.copytree(weights / "original", tmp_path / name))

    cut = copy("cut") / WEIGHTS
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(BadInput, match="cannot be loaded"):
        load("sd-vae", weights=tmp_path / "cut")

    stored = load_file(weights / "original" / WEIGHTS)
    fewer = {k: v for k, v in stored.items() if k != "decoder.conv_in.weight"}
    save_file(fewer, copy("fewer") / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"1 missing keys \(decoder\.conv_in\.weight"):
        load("sd-vae", weights=tmp_path / "fewer")

    more = {**stored, "stranger.weight": torch.zeros(1)}
    save_file(more, copy("more") / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"1 unexpected keys \(stranger\.weight"):
        load("sd-vae", weights=tmp_path / "more")


def test_an_autoencoder_of_another_shape_is_refused(tmp_path) -> None:
    small_kl(
        0,
        block_out_channels=(4, 4),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=3,
    ).save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="factor 2 and 3 latent channels; sd-vae has 8 and 4"):
        load("sd-vae", weights=tmp_path)


def test_unknown_names_and_decoders_are_refused() -> None:
    with pytest.raises(BadInput, match="identity, sd-vae"):
        load("vq-f4")
    with pytest.raises(BadInput, match="original, ft-mse, ft-ema"):
        load("sd-vae", "ft-lpips")
    with pytest.raises(BadInput, match="there are original"):
        load("identity", "ft-mse")


def test_encoding_with_the_vae_stores_what_it_would_compute(weights, tmp_path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    source = ArrayImages(pixels, np.arange(5) % 2, ["a", "b"])
    vae = load("sd-vae", weights=weights)
    wanted = latent_settings(source, vae, 32, 3, dtype="float32")
    encode(source, vae, tmp_path, wanted, batch_size=2).finish()
    latents = Latents.open(tmp_path, "sd-vae", vae.sha256)
    flip, noise = torch.tensor([True, False]), torch.randn(2, 4, 4, 4)
    x, _ = latents.batch(np.array([4, 1]), flip, noise)
    unit = to_unit(torch.from_numpy(pixels[[4, 1]]).permute(0, 3, 1, 2))
    unit[0] = unit[0].flip(-1)
    mean, std = vae.encode(unit)
    torch.testing.assert_close(x, (mean + std * noise) * vae.scale, rtol=1e-4, atol=1e-5)
    other = json.loads((tmp_path / "index.json").read_text())["settings"]["autoencoder_sha256"]
    assert other == vae.sha256
