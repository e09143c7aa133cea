"""The downsampled ImageNet's npz files: batches in order, labels from 1, planes of colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.data.imagenet_npz import ImageNetNpzImages
from harness.data.images import open_images
from harness.errors import BadInput, Missing

SIDE = 8


def write(folder: Path, name: str, seed: int, packed: bool = False, **changes: np.ndarray) -> None:
    draws = np.random.default_rng(seed)
    arrays = {
        "data": draws.integers(0, 256, (4, 3 * SIDE * SIDE), dtype=np.uint8),
        "labels": np.array([seed, 1, 1000, 7]),
        "mean": np.zeros(3 * SIDE * SIDE),
    }
    (np.savez_compressed if packed else np.savez)(folder / name, **{**arrays, **changes})


@pytest.mark.parametrize("packed", [False, True], ids=["stored", "compressed"])
def test_batches_are_read_in_their_order(tmp_path: Path, packed: bool) -> None:
    for batch in (1, 2, 10):
        write(tmp_path, f"train_data_batch_{batch}.npz", batch, packed)
    write(tmp_path, "val_data.npz", 50, packed)
    images = ImageNetNpzImages(tmp_path)
    assert len(images) == 12 and len(images.class_names) == 1000
    assert [images[i][1] for i in (0, 4, 8)] == [0, 1, 9]  # batch 10 after batch 2; 1 is label 0
    draws = np.random.default_rng(10).integers(0, 256, (4, 3 * SIDE * SIDE), dtype=np.uint8)
    image, label = images[9]
    assert label == 0 and np.array_equal(image, draws[1].reshape(3, SIDE, SIDE).transpose(1, 2, 0))
    assert np.array_equal(images[1][0], images[1][0])  # back to an earlier file
    val = open_images("imagenet8", "imagenet-npz", str(tmp_path), split="floor")
    assert len(val) == 4 and val[0][1] == 49


def test_the_fingerprint_is_of_contents(tmp_path: Path) -> None:
    write(tmp_path, "train_data_batch_1.npz", 1)
    before = ImageNetNpzImages(tmp_path).fingerprint
    write(tmp_path, "train_data_batch_1.npz", 1, labels=np.array([1, 1, 1000, 8]))
    assert ImageNetNpzImages(tmp_path).fingerprint != before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": np.array([0, 1, 2, 3])}, "labels 0 to 3; as published they go from 1 to 1000"),
        ({"labels": np.array([1, 2, 3, 1001])}, "labels 1 to 1001"),
        ({"labels": np.array([1.0, 2, 3, 4])}, "not whole numbers"),
        ({"data": np.zeros((3, 192), np.uint8)}, r"data are uint8 \(3, 192\)"),
        ({"data": np.zeros((4, 191), np.uint8)}, r"data are uint8 \(4, 191\)"),
        ({"data": np.zeros((4, 192), np.float32)}, "data are float32"),
        ({"labels": np.array([{}] * 4)}, "objects"),
    ],
)
def test_what_is_not_as_published_is_refused(tmp_path: Path, changes: dict, said: str) -> None:
    write(tmp_path, "train_data_batch_1.npz", 1, **changes)
    with pytest.raises(BadInput, match=said):
        ImageNetNpzImages(tmp_path)


def test_files_that_are_absent_or_cut_off_are_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"no train_data_batch_1\.npz"):
        ImageNetNpzImages(tmp_path)
    write(tmp_path, "train_data_batch_1.npz", 1)
    path = tmp_path / "train_data_batch_1.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match="not a whole npz file"):
        ImageNetNpzImages(tmp_path)


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "train_data_batch_1.npz", 1)
    write(tmp_path, "train_data_batch_2.npz", 2, data=np.zeros((4, 3 * 16 * 16), np.uint8))
    images = ImageNetNpzImages(tmp_path)
    with pytest.raises(BadInput, match="has images of 16 pixels"):
        images[5]
