"""A study of images on disk, small enough that its data are encoded in a test."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from harness.plan.build import make_plan
from harness.spec import load_study
from harness.stages.execute import execute
from harness.store import Store

PETS = """\
study: pets
title: Pets
about: A study for tests.
data: {{name: pets, source: {source}, path: {path}, image_size: 8, channels: 3, num_classes: 2}}
model: {{depth: 1, width: 16, heads: 2, patch_size: 4}}
train: {{steps: 6, batch_size: 2, learning_rate: 1e-3, log_every: 2}}
dispatch: {{device: cpu, workers: 1, threads: 1}}
profiles: {{laptop: {{}}}}
{more}"""


def bmp(value: int, side: int = 8) -> bytes:
    """An image whose size in bytes does not depend on what it shows."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (value, 2 * value % 256, 77)).save(buffer, "BMP")
    return buffer.getvalue()


def folder_of_pets(root: Path) -> Path:
    for c, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for i in range(3):
            (root / name / f"{i}.bmp").write_bytes(bmp(10 * i + 100 * c))
    return root


def study_of(path: Path, source: str = "image-folder", more: str = "") -> Path:
    study = Path("pets.yaml")
    study.write_text(PETS.format(source=source, path=path, more=more))
    return study


def make(study: Path, *kinds: str, overrides: tuple[str, ...] = ()) -> Store:
    """Do the stages of these kinds here."""
    store = Store("results")
    plan = make_plan(load_study(study, None, overrides))
    for stage in plan.stages.values():
        if stage.kind in kinds:
            execute(plan.task(stage), store)
    return store
