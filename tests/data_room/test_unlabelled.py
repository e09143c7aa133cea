"""Images without labels: one null label, no classes, folders that mean nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.images import open_images
from harness.data.looking import find_source
from harness.data.unlabelled import UnlabelledImages
from harness.errors import BadInput, Missing


def save(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 9, 3), level, np.uint8)).save(path)


def test_every_image_at_any_depth_has_the_null_label(tmp_path: Path) -> None:
    for k, name in enumerate(["b.png", "a/z.png", "a/deep/er.png", ".hidden/x.png"]):
        save(tmp_path / name, 10 * k)
    images = UnlabelledImages(tmp_path)
    assert [path for path, _ in images.files] == ["a/deep/er.png", "a/z.png", "b.png"]
    assert images.class_names == [] and images.labels.tolist() == [0, 0, 0]
    assert images[0][1] == 0 and images[0][0][0, 0, 0] == 20
    before = images.fingerprint
    save(tmp_path / "c.png")
    assert UnlabelledImages(tmp_path).fingerprint != before


def test_a_study_that_names_classes_for_them_is_told_what_to_write(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    assert len(open_images("mine", "unlabelled-folder", str(tmp_path), num_classes=0)) == 1
    with pytest.raises(
        BadInput, match=r"without labels.*num_classes says 3; say data\.num_cl.*: 0"
    ):
        open_images("mine", "unlabelled-folder", str(tmp_path), num_classes=3)


def test_train_and_val_folders_are_its_splits(tmp_path: Path) -> None:
    for name in ("train/a.png", "train/b.png", "val/c.png"):
        save(tmp_path / name)
    assert len(open_images("mine", "unlabelled-folder", str(tmp_path))) == 2
    assert len(open_images("mine", "unlabelled-folder", str(tmp_path), split="floor")) == 1


def test_class_folders_with_a_stray_image_are_class_folders(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "1.png")
    save(tmp_path / "readme.png")
    assert find_source(tmp_path) == ("image-folder", {})


def test_no_folder_and_no_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="is not there"):
        open_images("mine", "unlabelled-folder", str(tmp_path / "no"))
    with pytest.raises(BadInput, match="holds no images"):
        open_images("mine", "unlabelled-folder", str(tmp_path))
    assert find_source(tmp_path) is None


def test_a_folder_val_among_images_for_training_is_not_trained_on(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "val/c.png"):
        save(tmp_path / name)
    with pytest.raises(BadInput, match="images that are not for training"):
        UnlabelledImages(tmp_path)


def test_images_of_kinds_that_are_not_read_are_counted(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "b.jxl").write_bytes(b"x")
    (note,) = UnlabelledImages(tmp_path).notes
    assert "left out are 1 image of a kind that is not read (1 .jxl)" in note
    (tmp_path / "a.png").unlink()
    with pytest.raises(BadInput, match=r"holds no images: 1 image of a kind that is not read"):
        UnlabelledImages(tmp_path)
