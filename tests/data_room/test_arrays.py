"""Numpy arrays as a data source: layouts, labels, splits, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.components import Wanted
from harness.data.arrays import Arrays
from harness.data.images import Decoded
from harness.errors import BadInput, Missing

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def opened(path: Path, split: Any = "train", classes: int | None = None, **settings: Any) -> Any:
    wanted = Wanted("mine", str(path), split, 8, 3, classes, None, 0)
    return Arrays(**settings).open(wanted)


def saved(folder: Path, images: Any = PIXELS, labels: Any = LABELS, name: str = "a.npz") -> Path:
    np.savez(folder / name, images=images, labels=labels)
    return folder / name


@pytest.mark.parametrize(
    ("stored", "channels"),
    [
        (PIXELS, 3),
        (PIXELS.transpose(0, 3, 1, 2), 3),  # planes of colour
        (PIXELS[..., :1], 1),
        (PIXELS[..., 0], 1),
        (np.concatenate([PIXELS, PIXELS[..., :1]], axis=3), 3),  # with transparency
        (np.asfortranarray(PIXELS), 3),
    ],
    ids=["NHWC", "NCHW", "NHW1", "NHW", "RGBA", "Fortran order"],
)
def test_every_layout_gives_the_same_pixels(
    tmp_path: Path, stored: np.ndarray, channels: int
) -> None:
    images = opened(saved(tmp_path, stored))
    assert len(images) == 6 and images.class_names == ["0", "1", "2"]
    for i in range(6):
        image, label = images[i]
        assert label == LABELS[i] and image.flags.c_contiguous
        assert np.array_equal(image, PIXELS[i][..., :channels])


def test_dropped_transparency_is_remembered(tmp_path: Path) -> None:
    image, _ = opened(saved(tmp_path, np.zeros((6, 4, 4, 4), np.uint8)))[0]
    assert isinstance(image, Decoded) and image.stored == "alpha"
    assert getattr(image[:2], "stored", None) is None


@pytest.mark.parametrize("packed", [False, True])
def test_npz_npy_and_compressed_files_hold_the_same(tmp_path: Path, packed: bool) -> None:
    np.save(tmp_path / "x.npy", PIXELS)
    np.save(tmp_path / "y.npy", LABELS[:, None])  # as keras has them
    images = opened(tmp_path, images="x", labels="y")
    (np.savez_compressed if packed else np.savez)(tmp_path / "z.npz", x=PIXELS, y=LABELS)
    others = opened(tmp_path / "z.npz", images="x", labels="y")
    assert [images[i][1] for i in range(6)] == [others[i][1] for i in range(6)] == LABELS.tolist()
    assert all(np.array_equal(images[i][0], others[i][0]) for i in range(6))
    assert Arrays(images="x", labels="y").listing(str(tmp_path)) == [
        tmp_path / "x.npy",
        tmp_path / "y.npy",
    ]


def test_files_are_chosen_by_their_split(tmp_path: Path) -> None:
    saved(tmp_path, name="train_1.npz")
    saved(tmp_path, PIXELS[:2], LABELS[:2], name="train_2.npz")
    saved(tmp_path, PIXELS[:3], LABELS[:3], name="test.npz")
    assert len(opened(tmp_path)) == len(opened(tmp_path, "reference")) == 8
    assert len(opened(tmp_path, "floor")) == 3


def test_texts_are_classes_in_their_order(tmp_path: Path) -> None:
    images = opened(saved(tmp_path, labels=np.array(["dog", "cat", "cat", "ant", "dog", "cat"])))
    assert images.class_names == ["ant", "cat", "dog"]
    assert [images[i][1] for i in range(6)] == [2, 1, 1, 0, 2, 1]


def test_images_without_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=PIXELS)
    images = opened(tmp_path / "a.npz", labels=None)
    assert images.class_names == [] and {images[i][1] for i in range(6)} == {0}
    assert not Arrays(labels=None).labelled and Arrays.recognise(tmp_path / "a.npz") == {
        "labels": None
    }


def test_the_fingerprint_is_of_contents(tmp_path: Path) -> None:
    prints = {opened(saved(tmp_path)).fingerprint}
    changed = PIXELS.copy()
    changed[5, 0, 0, 0] ^= 1
    prints.add(opened(saved(tmp_path, changed)).fingerprint)
    prints.add(opened(saved(tmp_path, labels=LABELS[::-1])).fingerprint)
    np.save(tmp_path / "images.npy", PIXELS)
    np.save(tmp_path / "labels.npy", LABELS)
    prints.add(opened(tmp_path).fingerprint)
    np.save(tmp_path / "images.npy", changed)
    prints.add(opened(tmp_path).fingerprint)
    assert len(prints) == 5


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (PIXELS.astype(np.float32) / 255, LABELS, "float32; give uint8"),
        (PIXELS[0], LABELS, r"6 images with labels|5 images with labels"),
        (PIXELS[:, :, :, :2], LABELS, r"images are \(6, 5, 7, 2\)"),
        (PIXELS[:0], LABELS[:0], "no images"),
        (PIXELS, LABELS[:5], r"6 images with labels of shape \(5,\)"),
        (PIXELS, LABELS - 1, "labels go from -1 to 1"),
        (PIXELS, LABELS + 1, "from 1 to 3: number them from 0"),
        (PIXELS, LABELS * 0.5, "labels are float64"),
        (PIXELS, np.array([{}] * 6), "objects"),
    ],
)
def test_what_is_no_data_set_is_refused(
    tmp_path: Path, images: np.ndarray, labels: np.ndarray, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        opened(saved(tmp_path, images, labels))


def test_files_that_are_absent_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"neither images\.npy nor npz files"):
        opened(tmp_path)
    with pytest.raises(Missing, match="nowhere is not there"):
        opened(tmp_path / "nowhere")
    path = saved(tmp_path)
    with pytest.raises(BadInput, match="no array 'x'; it holds images, labels"):
        opened(path, images="x")
    with pytest.raises(
        BadInput, match=r"labels go from 0 to 2; expected 0 to 1 .data\.num_classes"
    ):
        opened(path, classes=2)
    np.save(tmp_path / "images.npy", PIXELS)
    with pytest.raises(Missing, match=r"labels\.npy is not there"):
        opened(tmp_path)
    content = (tmp_path / "images.npy").read_bytes()
    (tmp_path / "images.npy").write_bytes(content[:-1])
    with pytest.raises(BadInput, match=r"images\.npy is not a whole npy file.*cut off"):
        opened(tmp_path, labels=None)


def test_one_npy_file_is_images_and_labels_lie_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "photos.npy"
    np.save(path, np.zeros((5, 8, 8, 3), np.uint8))
    assert Arrays.recognise(path) == {"labels": None}
    assert len(opened(path, labels=None)) == 5
    np.save(tmp_path / "labels.npy", np.arange(5) % 2)
    assert Arrays.recognise(path) == {}
    assert opened(path).class_names == ["0", "1"]
    assert Arrays.recognise(tmp_path / "labels.npy") == {"labels": None}
