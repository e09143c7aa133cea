"""Small image sets on disk, and an autoencoder that stands in for the VAE."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness.data import ArrayImages


class Identity:
    name = "identity"
    factor = 1
    channels = 3
    pixels = True
    scale = 1.0
    sha256 = None

    def encode(self, images):
        raise AssertionError("pixels are stored as they are")


class Pooling:
    """Has the VAE's name, factor and channels; mean and deviation tell one image from another."""

    name = "sd-vae"
    factor = 8
    channels = 4
    pixels = False
    scale = 0.18215
    sha256 = "a" * 64

    def encode(self, images):
        assert images.dtype == torch.float32 and images.abs().max() <= 1
        mean = torch.nn.functional.avg_pool2d(images, 8)
        mean = torch.cat([mean, mean.mean(1, keepdim=True)], dim=1)
        return mean, 0.1 + mean.square()


@pytest.fixture()
def identity() -> Identity:
    return Identity()


@pytest.fixture()
def pooling() -> Pooling:
    return Pooling()


def random_images(count: int, size: int, channels: int = 3, seed: int = 0) -> ArrayImages:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, size, size, channels), dtype=np.uint8)
    return ArrayImages(pixels, np.arange(count) % 5, [str(k) for k in range(5)])


@pytest.fixture()
def make_images():
    return random_images


def png(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture()
def encode_png():
    return png


@pytest.fixture()
def make_folder(tmp_path: Path):
    """make_folder({"cat": 3, "dog": 2}) -> a folder of PNGs, one folder per class."""

    def make(classes: dict[str, int], root: Path | None = None) -> Path:
        root = root or tmp_path / "images"
        rng = np.random.default_rng(0)
        for name, count in classes.items():
            (root / name).mkdir(parents=True)
            for k in range(count):
                pixels = rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)
                (root / name / f"{k:03d}.png").write_bytes(png(pixels))
        return root

    return make


@pytest.fixture()
def make_tar():
    """make_tar(path, {"0.png": bytes, "0.cls": b"3"}) writes an uncompressed tar."""

    def make(path: Path, members: dict[str, bytes | dict]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as tar:
            for name, content in members.items():
                raw = json.dumps(content).encode() if isinstance(content, dict) else content
                info = tarfile.TarInfo(name)
                info.size = len(raw)
                tar.addfile(info, io.BytesIO(raw))
        return path

    return make
