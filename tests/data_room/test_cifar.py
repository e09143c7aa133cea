"""CIFAR's four published layouts, written byte by byte as its page describes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cifar_files import COARSE, FINE, TEN, pixels, write_10, write_100

from harness.data.cifar import CifarImages
from harness.data.images import open_images
from harness.errors import BadInput, Missing


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "python"])
@pytest.mark.parametrize("below", [True, False], ids=["the folder above", "the folder itself"])
def test_cifar_10_is_read_in_order(tmp_path: Path, binary: bool, below: bool) -> None:
    write_10(tmp_path, binary)
    root = tmp_path if below else next(tmp_path.iterdir())
    images = CifarImages(root)
    assert len(images) == 10 and images.class_names == TEN
    assert [images[i][1] for i in range(10)] == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    # Row by row, a plane of red before one of green before one of blue.
    image, _ = images[7]
    plain = pixels(2, 3)[1]
    assert image.shape == (32, 32, 3) and image.dtype == np.uint8
    assert image[0, 1].tolist() == [plain[1], plain[1024 + 1], plain[2048 + 1]]
    assert image[31, 0].tolist() == [plain[k * 1024 + 31 * 32] for k in range(3)]
    held_out = CifarImages(root, test=True)
    assert len(held_out) == 2 and [held_out[i][1] for i in range(2)] == [5, 6]
    assert held_out.fingerprint != images.fingerprint


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "python"])
def test_cifar_100_has_fine_and_coarse_labels(tmp_path: Path, binary: bool) -> None:
    write_100(tmp_path, binary)
    fine, coarse = CifarImages(tmp_path), CifarImages(tmp_path, labels="coarse")
    assert (fine.class_names, coarse.class_names) == (FINE, COARSE)
    assert [fine[i][1] for i in range(3)] == [99, 0, 50]
    assert [coarse[i][1] for i in range(3)] == [0, 19, 7]
    assert np.array_equal(fine[1][0].transpose(2, 0, 1).reshape(-1), pixels(3, 0)[1])


def test_both_versions_hold_the_same_images(tmp_path: Path) -> None:
    write_10(tmp_path / "a", binary=True)
    write_10(tmp_path / "b", binary=False)
    one, other = CifarImages(tmp_path / "a"), CifarImages(tmp_path / "b")
    assert all(np.array_equal(one[i][0], other[i][0]) for i in range(10))


def test_a_study_reads_it_by_name(tmp_path: Path) -> None:
    write_10(tmp_path, binary=True)
    train = open_images("cifar10", "cifar", str(tmp_path), num_classes=10)
    floor = open_images("cifar10", "cifar", str(tmp_path), split="floor")
    assert (len(train), len(floor)) == (10, 2)
    with pytest.raises(BadInput, match=r"10 classes, and data\.num_classes says 9"):
        open_images("cifar10", "cifar", str(tmp_path), num_classes=9)


def test_what_is_not_as_published_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="none of CIFAR's published versions"):
        CifarImages(tmp_path)
    write_10(tmp_path, binary=True)
    folder = tmp_path / "cifar-10-batches-bin"
    with pytest.raises(BadInput, match="no coarse labels"):
        CifarImages(tmp_path, labels="coarse")
    whole = (folder / "data_batch_2.bin").read_bytes()
    (folder / "data_batch_2.bin").write_bytes(whole[:-1])
    with pytest.raises(BadInput, match=r"data_batch_2.bin has 6,145 bytes.*cut off"):
        CifarImages(tmp_path)
    (folder / "data_batch_2.bin").write_bytes(b"\x0b" + whole[1:])
    with pytest.raises(BadInput, match="labels go beyond 0 to 9"):
        CifarImages(tmp_path)
    (folder / "data_batch_2.bin").unlink()
    with pytest.raises(Missing, match=r"lacks data_batch_2\.bin"):
        CifarImages(tmp_path)
