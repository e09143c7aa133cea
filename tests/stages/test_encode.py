"""The encode stage: the study's data, onto disk, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness.data.latents import Latents
from harness.errors import BadInput
from harness.stages.work import Stopped

Laboratory = Any  # conftest.py's; pytest gives it without an import


def test_the_committed_latents_are_readable_and_described(laboratory: Laboratory) -> None:
    task = laboratory.task("encode")
    latents = Latents.open(laboratory.folder(task) / "latents")
    facts = laboratory.manifest(task)["facts"]
    assert (
        (latents.count, list(latents.shape)) == (facts["count"], facts["shape"]) == (40, [1, 8, 8])
    )
    assert facts["autoencoder"] == "identity" and facts["corrupt"] == 0


def test_data_with_another_fingerprint_are_refused(laboratory: Laboratory) -> None:
    task = laboratory.task("encode", f"data.fingerprint={'f0' * 32}")
    with pytest.raises(BadInput, match="these are other images"):
        laboratory.run(task)


def test_another_number_of_classes_than_the_study_says_is_refused(laboratory: Laboratory) -> None:
    task = laboratory.task("encode", "data.num_classes=11")
    with pytest.raises(BadInput, match=r"10 classes, data\.num_classes is 11"):
        laboratory.run(task)


def test_a_data_set_that_is_not_whole_is_refused(laboratory: Laboratory, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("L", (9, 9), 40 * i).save(tmp_path / "images" / name / f"{i}.png")
    said = {
        "name": "pets",
        "source": "image-folder",
        "path": str(tmp_path / "images"),
        "image_size": 8,
        "channels": 1,
        "num_classes": 2,
    }

    def task(**more: Any) -> Any:
        return laboratory.task("encode", f"data={json.dumps({**said, **more})}")

    with pytest.raises(BadInput, match=r"has 6 images, data.train_images says 7: is it whole\?"):
        laboratory.run(task(train_images=7))
    assert task(train_images=7).key == task(train_images=6).key == task().key  # only a check
    laboratory.run(task(train_images=6))
    assert laboratory.manifest(task())["facts"]["count"] == 6


def test_encoding_ends_when_asked_to_and_goes_on(laboratory: Laboratory) -> None:
    task = laboratory.task("encode", "data.train_images=50")
    with pytest.raises(Stopped):
        laboratory.run(task, lambda: True)
    assert laboratory.store.manifest("encode", task.key) is None
    laboratory.run(task)
    assert laboratory.manifest(task)["facts"]["count"] == 50
