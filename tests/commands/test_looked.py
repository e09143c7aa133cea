"""What can be known of a folder of images, as the settings of a study."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from pets import folder_of_pets
from PIL import Image

from harness.cli import main
from harness.commands import looked
from harness.commands.looked import Found
from harness.errors import BadInput, Missing


def found(count: int, own_floor: bool = False, extractor: str = looked.LABEL_FREE) -> Found:
    return Found(
        "pets", "image-folder", "images", ("cat", "dog"), count, 64, 3, "", extractor, own_floor
    )


@pytest.mark.parametrize(
    ("count", "own_floor", "trained_on"),
    [(1000, False, 900), (1000, True, 1000), (20, False, 18), (10, False, 10)],
)
def test_a_tenth_is_held_out_for_floors_unless_there_are_others_or_too_few(
    count: int, own_floor: bool, trained_on: int
) -> None:
    images = found(count, own_floor)
    assert images.trained_on == trained_on
    assert ("held_out" in images.settings()) == (trained_on < count)
    floor = images.floor_images(2000).get("floor_images", 0)
    assert floor + trained_on == count
    assert images.floor_images(1).get("floor_images", 1) == 1


def test_the_reference_is_of_what_is_trained_on_and_at_most_what_is_asked() -> None:
    assert found(1000).reference(500) == {
        "extractor": looked.LABEL_FREE,
        "recall_images": 500,
        "floor_images": 100,
    }
    assert found(1000).reference(500, most=50)["images"] == 50
    assert found(1000).reference(500, most=50)["recall_images"] == 50


def test_an_extractor_of_its_own_takes_images_that_the_reference_then_lacks() -> None:
    section = found(10_000, extractor=looked.OWN).reference(10_000)
    assert section["extractor_images"] + section["recall_images"] <= 9_000


def test_an_extractor_of_many_classes_gets_the_images_that_it_needs() -> None:
    many = tuple(map(str, range(1000)))
    images = replace(found(1_000_000, extractor=looked.OWN), classes=many)
    assert images.reference(10_000)["extractor_images"] == 10_000  # the default is 6,000


def test_a_folder_is_told_as_a_study_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of_pets(Path("images"))
    images = looked.look("images")
    assert (images.classes, images.count, images.side, images.channels) == (
        ("cat", "dog"), 6, 8, 3,
    )  # fmt: skip
    written = images.settings()
    assert (written["source"], written["path"]) == ("image-folder", "images")
    assert (written["num_classes"], written["train_images"]) == (2, 6)
    assert images.sentence.startswith("images, 6 images of 2 classes (cat, dog)")


@pytest.mark.parametrize(
    ("count", "few"), [(50, False), (60, True), (11_000, True), (11_200, False)]
)
def test_copies_are_looked_for_among_few_images(count: int, few: bool) -> None:
    assert found(count).few is few  # of 90 % of them, which are trained on


def test_what_is_not_there_or_not_images_is_said(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="there is no such folder"):
        looked.look(str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match=r"no source of images recognises it; .*image-folder reads"):
        looked.look(str(tmp_path))


@pytest.mark.parametrize("name", ["images.npz", "images.tar", "images.parquet", "images.zip", "x"])
def test_an_empty_file_is_called_empty_whatever_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(BadInput, match=rf"--data .*/{name}: an empty file \(0 bytes\); was its"):
        looked.look(str(tmp_path / name))


def test_a_file_that_may_not_be_read_is_not_called_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"something")

    def refused(path: Path, mode: str) -> None:  # root may read all
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(BadInput, match=r"--data .*/x: cannot be read: Permission denied"):
        looked.look(str(tmp_path / "x"))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, looked.LEAST - 1, looked.LEAST])
def test_too_few_images_for_any_study_are_told_before_one_is_written(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    for i in range(count):
        Image.new("RGB", (16, 16), (40 * i, 0, 0)).save(f"images/{i}.png")
    assert main(["new", "mine", "--data", "images"]) == (0 if count == looked.LEAST else 2)
    assert Path("mine.yaml").exists() == (count == looked.LEAST)
    if count < looked.LEAST:
        said = capsys.readouterr().err
        assert said.count("error:") == 1 and "a study needs 4 at least" in said
