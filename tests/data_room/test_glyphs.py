from __future__ import annotations

import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slowness import slowness

from harness.data import glyphs
from harness.errors import BadInput


@pytest.mark.slow
@given(
    st.sampled_from(glyphs.SPLITS),
    st.integers(1, 12),
    st.integers(0, 12),
    st.sampled_from([1, 3]),
    st.integers(0, 3),
)
@settings(max_examples=20, deadline=None)
def test_image_i_does_not_depend_on_how_many_are_drawn(
    split: str, few: int, more: int, channels: int, seed: int
) -> None:
    small, small_labels = glyphs.render(split, few, channels=channels, seed=seed)
    large, large_labels = glyphs.render(split, few + more, channels=channels, seed=seed)
    assert np.array_equal(small, large[:few])
    assert np.array_equal(small_labels, large_labels[:few])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image_size", [8, 16, 32])
def test_shapes_and_types(channels: int, image_size: int) -> None:
    images, labels = glyphs.render("train", 21, image_size=image_size, channels=channels)
    assert images.shape == (21, image_size, image_size, channels) and images.dtype == np.uint8
    assert labels.shape == (21,) and labels.dtype == np.int64
    assert np.bincount(labels, minlength=10).tolist() == [3] + [2] * 9


@pytest.mark.slow
def test_splits_and_seeds_share_no_image() -> None:
    seen: dict[bytes, str] = {}
    for split in glyphs.SPLITS:
        for seed in (0, 1):
            for image in glyphs.render(split, 200, seed=seed)[0]:
                digest = hashlib.sha256(image.tobytes()).digest()
                assert digest not in seen, f"{split} repeats an image of {seen[digest]}"
                seen[digest] = f"{split}, seed {seed}"


def test_one_channel_is_the_first_of_three() -> None:
    gray, _ = glyphs.render("floor", 30, channels=1)
    colour, _ = glyphs.render("floor", 30, channels=3)
    assert np.array_equal(gray[..., 0], colour[..., 0])
    assert not np.array_equal(colour[..., 0], colour[..., 1])


@pytest.mark.slow
def test_digits_are_light_on_dark() -> None:
    images, _ = glyphs.render("train", 400, image_size=32, channels=1)
    darkest, lightest = images.reshape(400, -1).min(1), images.reshape(400, -1).max(1)
    assert darkest.max() <= round(255 * glyphs.DARK[1])
    assert lightest.min() >= 255 * glyphs.LIGHT[0] * 0.95
    assert np.mean(images[:, 0, 0, 0] == darkest) > 0.9  # the corner is background


@pytest.mark.slow
def test_the_digit_stays_inside_the_image() -> None:
    images, _ = glyphs.render("train", 400, image_size=32, channels=1)
    background = images[:, :1, :1, 0].astype(int)
    ink = np.abs(images[..., 0].astype(int) - background).astype(float)
    ink /= ink.reshape(400, -1).max(1)[:, None, None]
    edge = np.concatenate([ink[:, 0], ink[:, -1], ink[:, :, 0], ink[:, :, -1]], axis=1)
    assert np.mean(edge > 0.5) < 0.02


@pytest.mark.slow
def test_a_nearest_mean_reader_reads_the_labels() -> None:
    def shape(images: np.ndarray) -> np.ndarray:
        flat = images.reshape(len(images), -1).astype(float)
        flat = flat - np.median(images[:, 0].reshape(len(images), -1), axis=1)[:, None]
        flat = np.abs(flat)
        return flat / flat.max(1, keepdims=True)

    images, labels = glyphs.render("classifier", 1000, image_size=16, channels=1)
    means = np.stack([shape(images)[labels == digit].mean(0) for digit in range(10)])
    test, truth = glyphs.render("classifier-test", 300, image_size=16, channels=1)
    guess = ((shape(test)[:, None] - means) ** 2).sum(-1).argmin(1)
    assert np.mean(guess == truth) > 0.6  # chance is 0.1


def test_an_empty_split_has_the_right_shape() -> None:
    images, labels = glyphs.render("train", 0)
    assert images.shape == (0, 8, 8, 3) and labels.shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "trian"}, "trian"),
        ({"count": -1}, "-1"),
        ({"image_size": 2}, "image_size 2"),
        ({"channels": 2}, "channels"),
    ],
)
def test_impossible_arguments_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        glyphs.render(**{"split": "train", "count": 1, **arguments})


@pytest.mark.slow
def test_eight_thousand_images_take_less_than_five_seconds_of_one_core() -> None:
    glyphs.render("train", 10)
    start = time.process_time()
    glyphs.render("train", 2000)
    assert time.process_time() - start < 5.0 / 4 * slowness()


@pytest.mark.slow
def test_importing_imports_neither_torch_nor_pillow() -> None:
    code = (
        "import sys, harness.data.glyphs, harness.data.digits\n"
        "print([m for m in ('torch', 'PIL', 'matplotlib', 'sklearn') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
