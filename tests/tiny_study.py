"""A study small enough to run in a test, and how tests call the command line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

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
