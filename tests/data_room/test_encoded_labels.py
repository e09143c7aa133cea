"""The labels of encoded images are read without their latents and without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.data import Latents, encode
from harness.data.encoded_labels import labels_of, read_index
from harness.data.encoding import latent_settings
from harness.errors import BadInput, Missing


@pytest.fixture()
def encoded(tmp_path, make_images, identity) -> Path:
    images = make_images(23, 4)
    wanted = latent_settings(images, identity, 4, 3, shard_size=10)
    encode(images, identity, tmp_path / "latents", wanted).finish()
    return tmp_path / "latents"


def renamed(folder: Path, word: str) -> None:
    """The index with one bit of a name flipped."""
    index = folder / "index.json"
    index.write_text(index.read_text().replace(f'"{word}"', f'"{chr(ord(word[0]) ^ 1)}{word[1:]}"'))


def test_they_are_those_that_training_reads(encoded: Path) -> None:
    labels = labels_of(encoded)
    assert labels.tolist() == Latents.open(encoded).labels.tolist() == [i % 5 for i in range(23)]
    assert labels.dtype == np.int64
    assert read_index(encoded)["settings"]["num_classes"] == 5


@pytest.mark.slow
def test_torch_is_not_loaded_for_them() -> None:
    code = "import sys, harness.data.encoded_labels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("damage", "error", "said"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-1]), BadInput, "cut off; encode again"),
        (lambda f: f.write_bytes(f.read_bytes()[:-1] + b"x"), BadInput, "encode again"),
        (lambda f: f.unlink(), BadInput, "cannot be read"),
        (lambda f: (f.parent / "index.json").unlink(), Missing, "no finished latents"),
        (lambda f: (f.parent / "index.json").write_text("{"), BadInput, "cannot be read"),
        (lambda f: (f.parent / "index.json").write_text("[]"), BadInput, "is not of format"),
        (lambda f: renamed(f.parent, "shards"), BadInput, "index.json is damaged .KeyError"),
        (lambda f: renamed(f.parent, "files"), BadInput, "index.json is damaged .KeyError"),
        (lambda f: renamed(f.parent, "bytes"), BadInput, "index.json is damaged .KeyError"),
        (lambda f: renamed(f.parent, "labels-00001.npy"), BadInput, "is damaged .KeyError"),
    ],
)
def test_damage_is_named(encoded: Path, damage, error: type[Exception], said: str) -> None:
    damage(encoded / "labels-00001.npy")
    with pytest.raises(error, match=said):
        labels_of(encoded)
