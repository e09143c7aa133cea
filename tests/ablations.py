"""Simulated ablations: three models by the levels of a factor by seeds, whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

SIZES = {"DiT-S/4": 1.4, "DiT-B/4": 5.6, "DiT-L/4": 19.7}


def study(effect, seeds=3, spread=0.1, levels=(0.1, 0.2), std=None, rng=None):
    """Rows of three models by learning rates by seeds; `effect(level, gflops)` on the log scale."""
    rng = rng or np.random.default_rng(0)
    rows = [
        {
            "model": model,
            "label": f"{model} lr {level:g}",
            "gflops": gflops,
            "learning_rate": level,
            "seed": seed,
            "value": 60 * gflops**-0.3 * math.exp(effect(level, gflops) + spread * rng.normal()),
        }
        for model, gflops in SIZES.items()
        for level in levels
        for seed in range(seeds)
    ]
    frame = pd.DataFrame(rows)
    return frame if std is None else frame.assign(std=std * frame["value"])


def better(level, gflops):
    return -0.3 if level == 0.2 else 0.0


def turning(level, gflops):
    """The higher rate is worse below 5 Gflops and better above."""
    return -0.4 * math.log10(gflops / 5) if level == 0.2 else 0.0
