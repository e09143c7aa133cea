"""A study that is right, and what is said of it once it is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.spec import load_study

GOOD = """\
study: tiny
title: A tiny study
data: {name: glyphs, image_size: 8, channels: 1, train_images: 100}
model: {family: DiT-micro}
train:
  steps: 20
  milestones: [10, 20]
  batch_size: 8
reference: {extractor: glyphs-cnn, images: 50}
evaluations:
  final: {at: end, sampling_steps: 4, samples: 10, split_size: 2}
matrix:
  axes:
    model.size: [S, B]
    model.patch_size: [8, 4]
profiles:
  laptop: {}
  long:
    train: {steps: 40}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str, **given: object) -> list[str]:
    path = write(folder, text)
    with pytest.raises(BadInput) as caught:
        load_study(path, **given)  # type: ignore[arg-type]
    return str(caught.value).replace(f"{folder}/", "").splitlines()
