"""A study small enough to run in a test, and the command line as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TINY = """\
study: tiny
title: Two tiny models
about: A study for tests.
data: {name: glyphs, image_size: 8, channels: 1, train_images: 64}
model: {family: DiT-micro}
train: {steps: 6, milestones: [3, 6], batch_size: 8, learning_rate: 1e-3, ema: 0.9, log_every: 2}
reference:
  extractor: glyphs-cnn
  extractor_images: 100
  extractor_steps: 4
  images: 60
  recall_images: 40
  floor_images: 40
evaluations:
  final: {at: milestones, sampling_steps: 2, samples: 40, split_size: 40, batch_size: 20}
matrix:
  axes:
    model.size: [S, B]
    model.patch_size: [8]
dispatch: {executor: local, device: cpu, workers: 2, threads: 1}
report: {sections: [headline, gflops, training, samples, models, provenance]}
profiles:
  laptop: {}
"""

Harness = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """harness("run", "tiny.yaml") as a subprocess in tmp_path."""

    def call(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )

    return call
