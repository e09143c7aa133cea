"""What samples may be copies of: the images that models are trained on, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.metrics import features
from harness.stages import real_images

Laboratory = Any  # conftest.py's; pytest gives it without an import

ASKED = (
    "reference.extractor=random-conv",
    "evaluations.final.metrics=[fd, near_copies]",
    "reference.floor_images=20",
    "evaluations.final.floor_images=20",
)
FILES = (
    "data={name: own, source: image-folder, path: own, image_size: 8, channels: 3, num_classes: 2, "
    "train_images: 100}",
    "data.held_out=0.25",
    "reference.held_out=true",
    "reference.images=25",
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The red of each image that is taken for one of training's."""
    found: list[int] = []

    def batches(*arguments: Any) -> Any:
        for batch in real_images.batches(*arguments):
            found.extend(int(image[0, 0, 0]) for image in batch)
            yield batch

    monkeypatch.setattr("harness.stages.copied.batches", batches)
    return found


def near_copies(laboratory: Laboratory, *overrides: str) -> dict[str, Any]:
    laboratory.run(laboratory.task("reference", *overrides))
    task = laboratory.task("floor", *overrides)
    laboratory.run(task)
    rows = {row["metric"]: row for row in laboratory.rows(task, "metrics")}
    return json.loads(rows["near_copies_random_conv"]["measured_with"])  # type: ignore[no-any-return]


@pytest.mark.slow
def test_they_are_those_that_are_not_held_out_whatever_the_reference_is_made_of(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: list[int]
) -> None:
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    for i in range(100):
        pixels = draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        pixels[0, 0, 0] = i
        place = Path("own", f"class-{i % 2}")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{i:02}.png")
    told = near_copies(laboratory, *ASKED, *FILES)
    assert told["near_to"] == "training" and told["near_to_images"] == 75
    encode = laboratory.task("encode", *ASKED, *FILES)
    laboratory.run(encode)
    assert laboratory.result(encode).count == len(set(shown)) == 75


def test_of_a_set_that_is_made_they_are_as_many_as_the_study_trains_on(
    laboratory: Laboratory, shown: list[int]
) -> None:
    told = near_copies(laboratory, *ASKED, "data.train_images=70")
    assert told["near_to"] == "training" and told["near_to_images"] == len(shown) == 70


@pytest.mark.slow
def test_mirror_images_are_looked_at_where_a_metric_asks_for_them(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []

    def extract(images: Any, extractor: Any, **more: Any) -> Any:
        kept = [np.array(x) for x in images]
        seen.append(np.concatenate(kept))
        return features.extract(iter(kept), extractor, **more)

    monkeypatch.setattr("harness.stages.copied.extract", extract)
    metrics = "evaluations.final.metrics=[fd, {name: near_copies, mirrored: true}]"
    told = near_copies(laboratory, ASKED[0], metrics, *ASKED[2:], "data.train_images=70")
    images, mirrored = seen
    assert len(images) == 70 and (mirrored == images[:, :, ::-1]).all()
    assert not (mirrored == images).all()
    assert len(told["nearest_is_mirrored"]) == len(told["nearest_training"]) == 20


def test_they_are_not_read_where_no_metric_asks(laboratory: Laboratory, shown: list[int]) -> None:
    others = ("reference.extractor=random-conv", "evaluations.final.metrics=[fd]")
    laboratory.run(laboratory.task("reference", *others))
    laboratory.run(laboratory.task("floor", *others))
    assert shown == []
