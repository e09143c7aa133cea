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

Laboratory = Any  # conftest.py's; pytest gives it without an import

# Features that fit any images; those of the study are of glyphs.
THROUGH = ("reference.extractor=clip", "evaluations.final.metrics=[fd]")
SOURCES = [name for name in registry.names("source") if name != "embedded"]


def overrides(path: Path, source: Any, **more: Any) -> tuple[str, ...]:
    said = {"name": "mine", "source": source, "path": str(path), "image_size": 8, "channels": 3}
    said = {**said, "num_classes": 2, "train_images": None, **more}
    return (f"data={json.dumps(said)}", *THROUGH)


def own(laboratory: Laboratory, kind: str, path: Path, source: Any, **more: Any) -> Any:
    return laboratory.task(kind, *overrides(path, source, **more))


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_encoded(laboratory: Laboratory, tmp_path: Path, name: str) -> None:
    source = registry.get("source", name)()
    assert isinstance(source, Source)
    path = source.example(tmp_path / "mine", 0)
    assert path is not None
    classes = {"cifar": 10, "imagenet-npz": 1000, "image-folder": 2, "unlabelled-folder": 0}
    task = own(laboratory, "encode", path, name, num_classes=classes.get(name, 3))
    if name in ("cifar", "imagenet-npz"):  # a dozen images have not all their classes
        with pytest.raises(BadInput, match="classes have no image"):
            laboratory.run(task)
        return
    laboratory.run(task)
    facts = laboratory.manifest(task)["facts"]
    assert facts["count"] == 12 and facts["corrupt"] == 0
    assert facts["num_classes"] == classes.get(name, 3)
    assert -1 <= facts["moments"]["mean"] <= 1 and 0 < facts["moments"]["std"] <= 1


def test_a_corrupt_image_is_counted(laboratory: Laboratory, tmp_path: Path) -> None:
    path = registry.get("source", "parquet")().example(tmp_path / "mine", 0, damaged=True)  # type: ignore[attr-defined]
    task = own(laboratory, "encode", path, "parquet", num_classes=3)
    with pytest.raises(HarnessError, match=r"1 images cannot be read(.|\n)*parquet/3: cannot be"):
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
