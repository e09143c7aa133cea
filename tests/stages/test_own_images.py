"""Images of one's own through whole stages: every source encodes; without labels, models train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.components import registry
from harness.components.family import Input
from harness.components.source import Source
from harness.errors import BadInput, HarnessError
from harness.plan.stages import STAGE_SETTINGS
from harness.stages.encode import images_of
from harness.stages.work import Work

Laboratory = Any  # conftest.py's; pytest gives it without an import

# Features that fit any images; those of the study are of glyphs.
THROUGH = (
    "reference.extractor=clip",
    "reference.images=10",
    "reference.floor_images=2",
    "evaluations.final.metrics=[fd]",
)
SOURCES = [name for name in registry.names("source") if name != "embedded"]


def overrides(path: Path, source: Any, **more: Any) -> tuple[str, ...]:
    said = {"name": "mine", "source": source, "path": str(path), "image_size": 8, "channels": 3}
    said = {**said, "num_classes": 2, "train_images": None, **more}
    return (f"data={json.dumps(said)}", *THROUGH)


def own(laboratory: Laboratory, kind: str, path: Path, source: Any, **more: Any) -> Any:
    return laboratory.task(kind, *overrides(path, source, **more))


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_encoded(laboratory: Laboratory, tmp_path: Path, name: str) -> None:
    source = registry.get("source", name)()
    assert isinstance(source, Source)
    path = source.example(tmp_path / "mine", 0)
    assert path is not None
    classes = {"cifar": 10, "imagenet-npz": 1000, "image-folder": 2, "unlabelled-folder": 0}
    task = own(laboratory, "encode", path, name, num_classes=classes.get(name, 3))
    if name == "imagenet-npz":  # a dozen images have not all its classes
        with pytest.raises(BadInput, match="classes have no image"):
            laboratory.run(task)
        return
    laboratory.run(task)
    facts = laboratory.manifest(task)["facts"]
    assert facts["count"] == (15 if name == "cifar" else 12) and facts["corrupt"] == 0
    assert facts["num_classes"] == classes.get(name, 3)
    assert -1 <= facts["moments"]["mean"] <= 1 and 0 < facts["moments"]["std"] <= 1


def test_a_corrupt_image_is_counted(laboratory: Laboratory, tmp_path: Path) -> None:
    path = registry.get("source", "parquet")().example(tmp_path / "mine", 0, damaged=True)  # type: ignore[attr-defined]
    task = own(laboratory, "encode", path, "parquet", num_classes=3)
    with pytest.raises(HarnessError, match=r"1 image cannot be read(.|\n)*parquet/3: cannot be"):
        laboratory.run(task)
    task = own(laboratory, "encode", path, "parquet", num_classes=3, max_corrupt=1)
    laboratory.run(task)
    facts = laboratory.manifest(task)["facts"]
    assert (facts["count"], facts["corrupt"]) == (11, 1)


def test_what_the_images_were_is_recorded(laboratory: Laboratory, tmp_path: Path) -> None:
    """Transparency, gray levels, and images smaller than the study's."""
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 4), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(6) % 2)
    task = own(laboratory, "encode", tmp_path / "a.npz", "arrays")
    laboratory.run(task)
    assert laboratory.manifest(task)["facts"]["stored"] == {"alpha": 6, "enlarged": 6}


@pytest.mark.slow
def test_without_labels_a_model_is_trained_and_sampled(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 9, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images)
    source = {"name": "arrays", "labels": None}
    task = own(laboratory, "sample", tmp_path / "a.npz", source, num_classes=0)
    laboratory.make(task, *overrides(tmp_path / "a.npz", source, num_classes=0))
    laboratory.run(task)
    with np.load(laboratory.folder(task) / "samples.npz") as drawn:
        assert drawn["arr_0"].shape == (40, 8, 8, 3) and set(drawn["labels"]) == {0}


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("DiT", {"depth": 1, "width": 16, "heads": 2, "patch_size": 4}),
        ("U-ViT", {"depth": 3, "width": 16, "heads": 2, "patch_size": 4}),
    ],
)
def test_networks_of_no_classes_have_the_null_label_alone(family: str, settings: Any) -> None:
    import torch

    component: Any = registry.get("family", family).model_validate(settings)
    model = component.build(Input(side=8, channels=3, num_classes=0, out_channels=6))
    with torch.no_grad():
        out = model(torch.zeros(2, 3, 8, 8), torch.tensor([3, 4]), torch.tensor([0, 0]))
    assert model.null_label == 0 and out.shape == (2, 6, 8, 8)


def parts(laboratory: Laboratory, tmp_path: Path, **more: Any) -> dict[str, set[bytes]]:
    """The images that each split of twenty has, by their content."""
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(20) % 2)
    others = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "b.npz", images=others, labels=np.arange(5) % 2)
    extra = [f"reference.held_out={json.dumps(more.pop('swapped', False))}"]
    changes = (*overrides(tmp_path / "a.npz", "arrays", **more), *extra)
    found = {}
    for kind, splits in (("encode", ("train",)), ("reference", ("reference", "floor"))):
        task = laboratory.task(kind, *changes)
        work = Work(task, tmp_path, tmp_path / "x" / "y" / "z", {}, {}, None, None, None)  # type: ignore[arg-type]
        data = STAGE_SETTINGS[kind].model_validate_json(task.settings).data  # type: ignore[attr-defined]
        for split in splits:
            opened = images_of(data, work, split, None)  # type: ignore[arg-type]
            found[split] = {opened[i][0].tobytes() for i in range(len(opened))}
    return found


def test_floors_are_of_images_that_are_not_trained_on(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    by_rule = parts(laboratory, tmp_path, held_out=0.2)
    assert by_rule["reference"] == by_rule["train"] and len(by_rule["train"]) == 16
    assert len(by_rule["floor"]) == 4 and not by_rule["floor"] & by_rule["train"]

    swapped = parts(laboratory, tmp_path, held_out=0.2, swapped=True)
    assert swapped["train"] == swapped["floor"] == by_rule["train"]
    assert swapped["reference"] == by_rule["floor"]

    folder = parts(laboratory, tmp_path, held_out=str(tmp_path / "b.npz"))
    assert len(folder["train"]) == 20 and folder["reference"] == folder["train"]
    assert len(folder["floor"]) == 5 and not folder["floor"] & folder["train"]


def test_training_has_the_images_that_are_not_held_out(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(20) % 2)
    path = tmp_path / "a.npz"
    task = own(laboratory, "encode", path, "arrays", held_out=0.2, train_images=20)
    laboratory.run(task)
    facts = laboratory.manifest(task)["facts"]
    assert facts["count"] == 16
    whole = own(laboratory, "encode", path, "arrays", train_images=20)
    laboratory.run(whole)  # the fingerprint is of all that lies there, to be written in a study
    assert laboratory.manifest(whole)["facts"]["fingerprint"] == facts["fingerprint"]
    said = own(laboratory, "encode", path, "arrays", held_out=0.2, fingerprint=facts["fingerprint"])
    laboratory.run(said)
    with pytest.raises(BadInput, match=r"has 20 images, data\.train_images says 16"):
        laboratory.run(
            own(laboratory, "encode", path, "arrays", held_out=0.2, train_images=16, seed=1)
        )
