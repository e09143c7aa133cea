from __future__ import annotations

import pytest

from harness.data.folder import ImageFolder
from harness.data.images import Corrupt
from harness.errors import BadInput, Missing


def test_labels_are_the_sorted_class_folders(make_folder) -> None:
    images = ImageFolder(make_folder({"zebra": 2, "ant": 3}))
    assert images.class_names == ["ant", "zebra"]
    assert [images[k][1] for k in range(len(images))] == [0, 0, 0, 1, 1]
    assert images.labels.tolist() == [0, 0, 0, 1, 1]
    assert images[0][0].shape == (12, 10, 3)


@pytest.mark.parametrize("below", ["", "train", "ILSVRC/Data/CLS-LOC/train"])
def test_imagenets_usual_layouts_are_found(make_folder, tmp_path, below) -> None:
    make_folder({"n01440764": 1, "n01443537": 2}, tmp_path / "in" / below)
    assert len(ImageFolder(tmp_path / "in")) == 3
    if below:
        make_folder({"n01440764": 5}, (tmp_path / "in" / below).parent / "val")
        assert len(ImageFolder(tmp_path / "in", split="val")) == 5


@pytest.mark.parametrize("below", ["", "train"])
def test_a_class_named_as_the_split_is_a_class(make_folder, tmp_path, below) -> None:
    """CIFAR-100 has one."""
    make_folder({"tractor": 1, "train": 2}, tmp_path / "in" / below)
    images = ImageFolder(tmp_path / "in")
    assert images.class_names == ["tractor", "train"] and len(images) == 3


def test_splits_of_loose_images_are_no_classes(make_folder) -> None:
    with pytest.raises(BadInput, match="train has no class folders: its 2 images lie loose"):
        ImageFolder(make_folder({"train": 2, "val": 1}))


def test_other_files_hidden_files_and_nested_folders_are_handled(make_folder) -> None:
    root = make_folder({"a": 2, "b/deeper": 1, ".cache": 1})
    (root / "a" / "notes.txt").write_text("x")
    (root / "a" / "._000.png").write_bytes(b"x")
    (root / "list.txt").write_text("x")
    images = ImageFolder(root)
    assert images.files == [("a/000.png", 0), ("a/001.png", 0), ("b/deeper/000.png", 1)]


def test_one_class_is_a_data_set(make_folder) -> None:
    images = ImageFolder(make_folder({"only": 2}))
    assert images.class_names == ["only"] and images[1][1] == 0


def test_a_missing_folder_is_missing(tmp_path) -> None:
    with pytest.raises(Missing, match="is not a folder"):
        ImageFolder(tmp_path / "nowhere")


def test_an_empty_folder_is_refused(tmp_path) -> None:
    with pytest.raises(BadInput, match="no class folders: it is empty"):
        ImageFolder(tmp_path)


def test_loose_images_are_refused_with_what_to_do(tmp_path, make_folder) -> None:
    root = make_folder({"a": 2})
    with pytest.raises(BadInput, match="2 images lie loose; put them into one folder per class"):
        ImageFolder(root / "a")


def test_images_beside_the_class_folders_are_told(make_folder) -> None:
    root = make_folder({"a": 2, "b": 1})
    assert ImageFolder(root).notes == []
    (root / "000.png").write_bytes((root / "a" / "000.png").read_bytes())
    images = ImageFolder(root)
    assert len(images) == 3
    assert images.notes == [f"{root}: 1 image lies beside the class folders: left out, of no class"]


def test_an_empty_class_is_named(make_folder) -> None:
    root = make_folder({"a": 2, "b": 0})
    with pytest.raises(
        BadInput, match=r"1 class folder holds no images \(b\); remove it or fill it"
    ):
        ImageFolder(root)


def test_the_fingerprint_follows_the_files_not_their_place(make_folder, tmp_path) -> None:
    one = make_folder({"a": 2, "b": 1}, tmp_path / "one")
    two = make_folder({"a": 2, "b": 1}, tmp_path / "two")
    before = ImageFolder(one).fingerprint
    assert ImageFolder(two).fingerprint == before
    (two / "a" / "000.png").rename(two / "b" / "zzz.png")
    assert ImageFolder(two).fingerprint != before


def test_a_vanished_file_is_corrupt(make_folder) -> None:
    images = ImageFolder(make_folder({"a": 2}))
    (images.root / "a" / "000.png").unlink()
    with pytest.raises(Corrupt, match=r"a/000.png: cannot be read"):
        images[0]
    assert images[1][0].shape == (12, 10, 3)


@pytest.mark.parametrize("below", ["", "train", "ILSVRC/Data/CLS-LOC/train"])
def test_without_a_folder_val_its_split_is_of_the_very_training_images(
    make_folder, tmp_path, below
) -> None:
    """Under other paths they would pass for images that the reference has not: a wrong floor."""
    make_folder({"a": 2, "b": 1}, tmp_path / "in" / below)
    train, val = (ImageFolder(tmp_path / "in", split) for split in ("train", "val"))
    assert train.fingerprint == val.fingerprint and val.class_names == ["a", "b"]


def test_a_folder_val_without_train_is_no_class(make_folder, tmp_path) -> None:
    """Else training would have the floor's images, as a class called val."""
    make_folder({"a": 1, "b": 1, "val/a": 1}, tmp_path / "in")
    with pytest.raises(BadInput, match=r"no folder train beside it: put the others of .*in/train$"):
        ImageFolder(tmp_path / "in")
    assert len(ImageFolder(tmp_path / "in", "val")) == 1


def test_images_of_kinds_that_are_not_read_are_counted_with_what_to_do(make_folder) -> None:
    root = make_folder({"a": 2, "b": 1})
    for name in ("a/x.avif", "a/Y.AVIF", "b/z.heic", "b/notes.txt"):
        (root / name).write_bytes(b"x")
    images, others = ImageFolder(root).notes
    assert "left out are 3 images of kinds that are not read (2 .avif, 1 .heic)" in images
    assert "convert them to PNG" in images and "1 file, not an image by name" in others
    for file in (root / "b").glob("*.png"):
        file.unlink()
    with pytest.raises(BadInput, match=r"no images \(b\) but 1 image of a kind that is not read"):
        ImageFolder(root)


def test_class_folders_that_look_alike_are_noted(make_folder) -> None:
    (note,) = ImageFolder(make_folder({"cat": 1, "Cat": 1, "dog": 1})).notes
    assert "class folders look alike, and each is a class: 'Cat' and 'cat'" in note
