"""A reference whose extractor is trained on a part of a folder of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.cli import main
from harness.errors import BadInput
from harness.metrics import Reference
from harness.stages import reference as stage

Laboratory = Any  # conftest.py's; pytest gives it without an import

OVERRIDES = (
    "data.name=own",
    "data.source=image-folder",
    "data.num_classes=2",
    "data.train_images=null",
    "data.channels=3",
    "reference.extractor=classifier",
    "reference.images=null",
    "reference.extractor_images=6000",
    "reference.extractor_steps=30",
    "reference.floor_images=40",
)


def write(folder: Path, count: int, first: int = 0) -> None:
    """Images of two classes; image i has the level i in its corner, so that it can be known."""
    random = np.random.default_rng(first)
    for i in range(first, first + count):
        image = random.integers(0, 80, (8, 8, 3)).astype(np.uint8)
        image[2:6, 3:5] = 250 if i % 2 else 0
        image[0, 0] = (i // 256, i % 256, 7)
        place = folder / ("bright" if i % 2 else "dark")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{i:04}.png")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """Which images are read for the extractor, its test, the reference and the floor."""
    found: dict[str, set[int]] = {}

    def number(image: np.ndarray) -> int:
        return int(image[0, 0, 0]) * 256 + int(image[0, 0, 1])

    batches, in_memory = stage.batches, stage.in_memory

    def told(images, chosen, size, batch, gray):  # type: ignore[no-untyped-def]
        of = "floor" if "reference" in found else "reference"
        for part in batches(images, chosen, size, batch, gray):
            found.setdefault(of, set()).update(map(number, part))
            yield part

    def taken(images, size, chosen=None, gray=False):  # type: ignore[no-untyped-def]
        pixels, labels = in_memory(images, size, chosen, gray)
        found["test" if "extractor" in found else "extractor"] = set(map(number, pixels))
        return pixels, labels

    monkeypatch.setattr(stage, "batches", told)
    monkeypatch.setattr("harness.stages.floor.batches", told)
    monkeypatch.setattr(stage, "in_memory", taken)
    return found


@pytest.mark.slow
def test_extractor_reference_and_floor_share_no_image(
    laboratory: Laboratory, tmp_path: Path, seen: dict[str, set[int]]
) -> None:
    write(tmp_path / "own", 340)
    task = laboratory.task("reference", *OVERRIDES, data_path=str(tmp_path / "own"))
    laboratory.run(task)
    floor = laboratory.task("floor", *OVERRIDES, data_path=str(tmp_path / "own"))
    laboratory.run(floor)
    assert {part: len(images) for part, images in seen.items()} == {
        "extractor": 150,
        "test": 150,
        "reference": 150,
        "floor": 40,
    }
    assert seen["test"] == seen["reference"]
    assert not seen["extractor"] & seen["reference"]
    assert not seen["extractor"] & seen["floor"] and not seen["reference"] & seen["floor"]

    result = laboratory.result(task)
    assert result.extractor == "classifier-own" and result.images == 150
    training = result.training
    assert (
        training["accuracy"] > 0.8
        and training["held_out"] == 150
        and 0.4 < training["chance"] < 0.7
    )
    rows = laboratory.rows(floor, "metrics")
    assert {row["metric"] for row in rows} >= {"fd_classifier_own", "is_classifier_own"}
    told = json.loads(rows[0]["measured_with"])
    assert told["extractor_accuracy"] == training["accuracy"]
    assert told["extractor_chance"] == training["chance"] and told["extractor_held_out"] == 150


@pytest.mark.slow
def test_a_floor_with_a_folder_of_its_own_leaves_the_others_more(
    laboratory: Laboratory, tmp_path: Path, seen: dict[str, set[int]]
) -> None:
    write(tmp_path / "own" / "train", 340)
    write(tmp_path / "own" / "val", 60, first=400)
    task = laboratory.task("reference", *OVERRIDES, data_path=str(tmp_path / "own"))
    laboratory.run(task)
    laboratory.run(laboratory.task("floor", *OVERRIDES, data_path=str(tmp_path / "own")))
    assert len(seen["extractor"]) == len(seen["reference"]) == 170
    assert len(seen["floor"]) == 40 and min(seen["floor"]) >= 400


def test_too_few_images_are_refused_before_anything_is_trained(
    laboratory: Laboratory, tmp_path: Path, seen: dict[str, set[int]]
) -> None:
    write(tmp_path / "own", 200)
    task = laboratory.task("reference", *OVERRIDES, data_path=str(tmp_path / "own"))
    with pytest.raises(BadInput, match=r"200 images are too few.* 296 images would do"):
        laboratory.run(task)
    assert not seen


@pytest.mark.slow
@pytest.mark.parametrize("reference_of_held_out", [False, True])
def test_what_is_held_out_is_in_no_other_part(
    laboratory: Laboratory,
    tmp_path: Path,
    seen: dict[str, set[int]],
    reference_of_held_out: bool,
) -> None:
    write(tmp_path / "own", 400)
    held = ("data.held_out=0.25", f"reference.held_out={str(reference_of_held_out).lower()}")
    task = laboratory.task("reference", *OVERRIDES, *held, data_path=str(tmp_path / "own"))
    laboratory.run(task)
    laboratory.run(laboratory.task("floor", *OVERRIDES, *held, data_path=str(tmp_path / "own")))
    sizes = {part: len(images) for part, images in seen.items()}
    if reference_of_held_out:
        assert sizes == {"extractor": 260, "test": 100, "reference": 100, "floor": 40}
    else:
        assert sizes == {"extractor": 150, "test": 150, "reference": 150, "floor": 40}
    assert not seen["extractor"] & seen["reference"] and seen["test"] == seen["reference"]
    assert not seen["extractor"] & seen["floor"] and not seen["reference"] & seen["floor"]


@pytest.mark.slow
def test_statistics_that_the_verb_wrote_are_the_reference_that_a_study_would_make(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "own", 60)
    said = (
        "reference.images=60",
        "reference.extractor=random-conv",
        "reference.recall_images=40",
        "evaluations.final.metrics=[fd, recall]",
    )
    words = ["statistics", "own", "--extractor", "random-conv", "--recall-images", "40"]
    assert main([*words, "--output", "mine.npz"]) == 0
    path = str(tmp_path / "own")
    made = laboratory.task("reference", *OVERRIDES, *said, data_path=path)
    given = laboratory.task("reference", *OVERRIDES, *said, "reference.statistics=mine.npz")
    for task in (made, given):
        laboratory.run(task)
    told, expected = laboratory.result(given), laboratory.result(made)
    assert told.images == expected.images == 60 and made.key != given.key
    read = [Reference.load(laboratory.folder(t) / "reference.npz") for t in (made, given)]
    np.testing.assert_allclose(read[1].pool.mean, read[0].pool.mean, rtol=1e-6)
    np.testing.assert_array_equal(read[1].features, read[0].features)  # those of single images too
    sha256 = f"reference.statistics_sha256={told.reference_sha256}"
    checked = laboratory.task(
        "reference", *OVERRIDES, *said, "reference.statistics=mine.npz", sha256
    )
    laboratory.run(checked)
    wrong = sha256[:-1] + ("0" if sha256[-1] != "0" else "1")
    with pytest.raises(BadInput, match="has checksum"):
        laboratory.run(
            laboratory.task("reference", *OVERRIDES, *said, "reference.statistics=mine.npz", wrong)
        )
    share = (*said, "reference.statistics=mine.npz", "data.held_out=0.5", "reference.images=30")
    laboratory.run(laboratory.task("reference", *OVERRIDES, *share))
    with pytest.raises(BadInput, match="no image is left for a floor"):
        laboratory.run(laboratory.task("floor", *OVERRIDES, *share, data_path=path))
