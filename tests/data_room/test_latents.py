from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data import Latents, encode
from harness.data.encoding import latent_settings
from harness.errors import BadInput, Missing


@pytest.fixture()
def pixels(tmp_path, make_images, identity):
    images = make_images(23, 4)
    encode(
        images, identity, tmp_path, latent_settings(images, identity, 4, 3, shard_size=10)
    ).finish()
    return images, tmp_path


@pytest.fixture()
def posteriors(tmp_path, make_images, pooling):
    images = make_images(11, 16)
    wanted = latent_settings(images, pooling, 16, 3, dtype="float32", shard_size=4)
    encode(images, pooling, tmp_path, wanted).finish()
    return images, tmp_path


def mapped(monkeypatch) -> None:
    monkeypatch.setattr("harness.data.latents.IN_MEMORY", 0)


@pytest.mark.parametrize("large", [False, True])
def test_pixels_are_read_in_any_order_and_mirrored_where_asked(pixels, large, monkeypatch) -> None:
    images, folder = pixels
    if large:
        mapped(monkeypatch)
    latents = Latents.open(folder, autoencoder="identity")
    assert latents.count == len(latents) == 23 and latents.shape == (3, 4, 4)
    assert latents.num_classes == 5 and not latents.posterior
    indices = np.array([22, 0, 9, 10, 0])
    flip = np.array([True, False, True, False, True])
    x, y = latents.batch(indices, flip)
    assert x.dtype == torch.float32 and y.dtype == torch.int64
    assert y.tolist() == images.labels[indices].tolist()
    for row, (index, mirrored) in enumerate(zip(indices, flip, strict=True)):
        image = images.images[index].astype(np.float64) / 127.5 - 1
        expected = (image[:, ::-1] if mirrored else image).transpose(2, 0, 1)
        np.testing.assert_allclose(x[row], expected, atol=1e-6)
    plain, _ = latents.batch(indices)
    assert torch.equal(plain[1], plain[4])


@pytest.mark.parametrize("large", [False, True])
def test_posteriors_are_drawn_afresh_for_either_flip(
    posteriors, pooling, large, monkeypatch
) -> None:
    images, folder = posteriors
    if large:
        mapped(monkeypatch)
    latents = Latents.open(folder, autoencoder="sd-vae", autoencoder_sha256="a" * 64)
    assert latents.posterior and latents.shape == (4, 2, 2) and latents.scale == 0.18215
    indices, flip = np.array([10, 3, 3]), torch.tensor([False, True, False])
    noise = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    x, y = latents.batch(indices, flip, noise)
    unit = torch.from_numpy(images.images[indices]).permute(0, 3, 1, 2).float() / 127.5 - 1
    unit[1] = unit[1].flip(-1)
    mean, std = pooling.encode(unit)
    torch.testing.assert_close(x, (mean + std * noise) * 0.18215)
    torch.testing.assert_close(latents.batch(indices, flip)[0], mean * 0.18215)
    assert y.tolist() == images.labels[indices].tolist()


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_batch_is_its_parts(data) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 2, 2, 1), dtype=np.uint8)
    latents = Latents.from_pixels(images, np.arange(9), 9)
    indices = np.array(data.draw(st.lists(st.integers(0, 8), min_size=1, max_size=12)))
    flip = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(indices), max_size=len(indices)))
    )
    whole, labels = latents.batch(indices, flip)
    cut = data.draw(st.integers(0, len(indices)))
    halves = [latents.batch(indices[part], flip[part]) for part in (slice(cut), slice(cut, None))]
    assert torch.equal(whole, torch.cat([x for x, _ in halves]))
    assert torch.equal(labels, torch.cat([y for _, y in halves]))
    assert (latents.batch(np.arange(9))[0] == latents.batch(np.arange(9))[0]).all()


def test_half_precision_posteriors_are_close(tmp_path, make_images, pooling) -> None:
    images = make_images(4, 16)
    for dtype in ("float16", "float32"):
        folder = tmp_path / dtype
        encode(images, pooling, folder, latent_settings(images, pooling, 16, 3, dtype)).finish()
    half, full = (
        Latents.open(tmp_path / dtype).batch(np.arange(4), posterior_noise=torch.ones(4, 4, 2, 2))
        for dtype in ("float16", "float32")
    )
    assert half[0].dtype == torch.float32
    torch.testing.assert_close(half[0], full[0], rtol=1e-3, atol=1e-4)


def test_latents_of_another_autoencoder_are_refused(posteriors) -> None:
    _, folder = posteriors
    with pytest.raises(
        BadInput, match=r"another autoencoder \(autoencoder sd-vae, wanted identity"
    ):
        Latents.open(folder, autoencoder="identity")
    with pytest.raises(BadInput, match=r"weights a{64}, wanted b{64}"):
        Latents.open(folder, autoencoder="sd-vae", autoencoder_sha256="b" * 64)


def test_altered_and_cut_off_files_are_refused(pixels) -> None:
    _, folder = pixels
    shard = folder / "shard-00001.npy"
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BadInput, match=r"shard-00001\.npy was altered"):
        Latents.open(folder)
    Latents.open(folder, verify=False)
    shard.write_bytes(content[:-1])
    with pytest.raises(BadInput, match="cut off"):
        Latents.open(folder, verify=False)
    shard.unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        Latents.open(folder)


def test_large_folders_are_checksummed_only_when_asked(pixels, monkeypatch) -> None:
    _, folder = pixels
    mapped(monkeypatch)
    shard = folder / "shard-00001.npy"
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    Latents.open(folder)
    with pytest.raises(BadInput, match="altered"):
        Latents.open(folder, verify=True)


def test_unfinished_foreign_and_unreadable_folders_are_refused(tmp_path) -> None:
    with pytest.raises(Missing, match="run the encode stage first"):
        Latents.open(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        Latents.open(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(BadInput, match="format"):
        Latents.open(tmp_path)


def test_one_checksum_stands_for_the_content(tmp_path, make_images, identity) -> None:
    def checksum(name: str, seed: int) -> str:
        images = make_images(6, 4, seed=seed)
        wanted = latent_settings(images, identity, 4, 3)
        encode(images, identity, tmp_path / name, wanted).finish()
        return Latents.open(tmp_path / name).sha256

    assert checksum("a", 0) == checksum("b", 0) != checksum("c", 1)
