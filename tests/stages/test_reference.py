"""A reference whose extractor is trained on a part of a folder of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.errors import BadInput
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

    def told(images, chosen, size, batch):  # type: ignore[no-untyped-def]
        of = "floor" if "reference" in found else "reference"
        for part in batches(images, chosen, size, batch):
            found.setdefault(of, set()).update(map(number, part))
            yield part

    def taken(images, size, chosen=None):  # type: ignore[no-untyped-def]
        pixels, labels = in_memory(images, size, chosen)
        found["test" if "extractor" in found else "extractor"] = set(map(number, pixels))
        return pixels, labels

    monkeypatch.setattr(stage, "batches", told)
    monkeypatch.setattr("harness.stages.floor.batches", told)
    monkeypatch.setattr(stage, "in_memory", taken)
    return found


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
    facts = result.training
    assert facts["accuracy"] > 0.8 and facts["held_out"] == 150 and 0.4 < facts["chance"] < 0.7
    rows = laboratory.rows(floor, "metrics")
    assert {row["metric"] for row in rows} >= {"fd_classifier_own", "is_classifier_own"}
    told = json.loads(rows[0]["measured_with"])
    assert told["extractor_accuracy"] == facts["accuracy"]
    assert told["extractor_chance"] == facts["chance"] and told["extractor_held_out"] == 150


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
