"""Mean and deviation of what training draws, against drawing it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from harness.data import Latents, encode, moments
from harness.data.encoding import changed, latent_settings
from harness.data.images import decoded


def test_of_pixels_they_are_those_of_what_is_read() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 4), dtype=np.uint8)
    found = moments.of_rows(rows, "pixels", 1.0)
    values = rows / 127.5 - 1
    assert found.mean == pytest.approx(values.mean()) and found.std == pytest.approx(values.std())


def test_of_posteriors_they_are_those_of_scaled_samples() -> None:
    draws = np.random.default_rng(0)
    rows = draws.normal(2.0, 3.0, (400, 2, 2, 4, 5, 5)).astype(np.float32)
    rows[:, :, 1] = np.abs(rows[:, :, 1])
    found = moments.of_rows(rows, "posterior", 0.25)
    noise = draws.standard_normal(rows[:, :, 0].shape)
    samples = 0.25 * (rows[:, :, 0] + rows[:, :, 1] * noise)
    assert found.mean == pytest.approx(samples.mean(), abs=0.02)
    assert found.std == pytest.approx(samples.std(), rel=0.02)


def test_parts_add_up_and_nothing_is_nothing() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (6, 1, 2, 2), dtype=np.uint8)
    parts = [moments.of_rows(part, "pixels", 1.0) for part in (rows[:2], rows[2:], rows[:0])]
    whole = moments.of_rows(rows, "pixels", 1.0)
    assert sum(parts, moments.NONE).mean == pytest.approx(whole.mean)
    assert sum(parts, moments.NONE).std == pytest.approx(whole.std)


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [
        (0.1, 1.2, None),
        (0.0, 5.5, "deviation 5.5.*a scale 0.18 times as large"),
        (-0.9, 1.0, "mean -0.9 "),
        (0.0, 0.1, "a scale 10 times"),
        (0.0, 0.0, "do not vary"),
    ],
)
def test_what_is_far_from_0_and_1_is_said(mean: float, std: float, said: str | None) -> None:
    found = moments.far(mean, std)
    assert found is None if said is None else re.search(said, found or "")


def test_the_index_of_an_encoding_has_them_and_what_the_images_were(
    tmp_path, pooling, make_images
) -> None:
    images = make_images(10, 16)
    settings = latent_settings(images, pooling, 16, 3, shard_size=4)
    index = encode(images, pooling, tmp_path, settings).finish()
    latents = Latents.open(tmp_path)
    noise = torch.Generator().manual_seed(0)
    drawn = []
    for flip in (False, True):
        for _ in range(200):
            z = torch.randn(10, *latents.shape, generator=noise)
            drawn.append(latents.batch(np.arange(10), np.full(10, flip), z)[0])
    values = torch.stack(drawn)
    assert index["moments"]["mean"] == pytest.approx(float(values.mean()), abs=2e-3)
    assert index["moments"]["std"] == pytest.approx(float(values.std()), rel=0.02)
    assert index["stored"] == {}
    enlarged = latent_settings(images, pooling, 24, 3, shard_size=4)
    assert encode(images, pooling, tmp_path / "b", enlarged).finish()["stored"] == {"enlarged": 10}


def test_what_is_done_to_an_image() -> None:
    pixels = np.zeros((8, 9, 3), np.uint8)
    assert changed(pixels, 8) == [] and changed(pixels, 9) == ["enlarged"]
    assert changed(pixels[..., :1], 8) == ["gray"]
    assert changed(decoded(pixels, "alpha"), 16) == ["alpha", "enlarged"]
