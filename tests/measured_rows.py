"""Rows of the records as evaluations leave them, and frames of some."""

from __future__ import annotations

import json

import pandas as pd

from harness.analysis import selection
from harness.store.tables import METRICS

NAMES = [c.name for c in METRICS]


def row(model="DiT-micro-S/8", value=10.0, **changes):
    base = {
        "metric": "fd_glyphs_cnn",
        "value": value,
        "of": "samples",
        "model": model,
        "block": "adaln-zero",
        "size": model.partition("/")[0].rpartition("-")[2],
        "patch_size": int(model.rpartition("/")[2]),
        "family": "DiT-micro",
        "gflops": {"S": 1.0, "B": 2.0, "L": 4.0}[model.partition("/")[0].rpartition("-")[2]],
        "image_size": 8,
        "autoencoder": "identity",
        "data": "glyphs",
        "batch_size": 64,
        "learning_rate": 1e-3,
        "seed": 0,
        "step": 100,
        "train_gflops": 1.0,
        "sampler": "ancestral",
        "sampling_steps": 50,
        "guidance_scale": 1.0,
        "sampling_gflops": 50.0,
        "decoder": "original",
        "samples": 1000,
        "sampling_seed": 0,
        "recipe": '{"ema":0.9999,"flip":true,"grad_clip":null}',
        "data_sha256": "d" * 64,
        "clip": False,
        "k": 3,
        "split_size": 5000,
    }
    return {**base, **changes}


def frame(*rows):
    return pd.DataFrame(list(rows), columns=NAMES)


S, B, L = "DiT-micro-S/8", "DiT-micro-B/8", "DiT-micro-L/8"


def final(*rows):
    return selection.final_quality(frame(*rows), "fd_glyphs_cnn")


def recipe(**changes):
    return json.dumps({"ema": 0.9999, "flip": True, "grad_clip": None, **changes})
