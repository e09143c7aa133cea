"""Objectives compared, each sampled by its own sampler at as many evaluations of the network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.factors import factor_effects
from harness.analysis.own_samplers import sampled
from harness.report.effects import find
from harness.store.tables import METRICS

TYPES = {"int64": "Int64", "string": "string", "float64": "float64", "bool": "object"}
WAYS = {"ddpm": ("ancestral", 32, 32), "flow": ("euler", 32, 32), "edm": ("heun", 16, 31)}


def study(
    rng: np.random.Generator | None = None, gains: dict[str, float] | None = None, **more: Any
) -> pd.DataFrame:
    """Four models by three objectives by two numbers of steps, with 3 % of recorded error."""
    gains = gains or {"flow": math.log(0.8), "edm": 0.0}
    rows = []
    for model, gflops in (("S", 1.0), ("B", 4.0), ("L", 16.0), ("XL", 64.0)):
        for name, (sampler, steps, evaluations) in WAYS.items():
            for half in (1, 2):
                truth = 60 * gflops**-0.3 * math.exp(gains.get(name, 0.0)) * half**0.5
                noise = 0.0 if rng is None else 0.03 * rng.normal()
                rows.append({
                    "metric": "fd_x", "of": "samples", "model": model, "family": "F",
                    "block": "b", "image_size": 8, "autoencoder": "identity", "data": "d",
                    "data_sha256": "d", "batch_size": 8, "learning_rate": 1e-3, "seed": 0,
                    "step": 100, "gflops": gflops, "samples": 1000, "guidance_scale": 1.0,
                    "objective": name, "run": f"{model}-{name}", "key": f"{model}-{name}-{half}",
                    "recipe": '{"diffusion_steps": 1000}' if name == "ddpm" else '{"ema": 0.9}',
                    "sampler": sampler, "sampling_steps": steps // half,
                    "sampling_gflops": gflops * (evaluations // half),
                    "value": truth * (1 + noise), "std": 0.03 * truth, "std_df": 50.0, **more,
                })  # fmt: skip
    columns = {c.name: TYPES[c.type] for c in METRICS}
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def test_each_is_sampled_its_own_way_at_as_many_evaluations() -> None:
    found = sampled(study(), "fd_x")
    assert found.ways == {
        "ddpm": "ancestral, 32 evaluations",
        "flow": "euler, 32 evaluations",
        "edm": "heun, 31 evaluations",
    }
    assert len(found.rows) == 12 and set(found.rows["sampling_steps"]) == {32, 16}


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"samples": 500},
        {"guidance_scale": 1.5},
        {"sampling_gflops": 1e3},  # none costs about as much
        {"step": 50},
        {"decoder": "other"},
    ],
)
def test_an_objective_that_was_measured_otherwise_is_not_compared(change: dict[str, Any]) -> None:
    frame = study()
    edm = (frame["objective"] == "edm").fillna(False)
    for column, value in change.items():
        frame.loc[edm, column] = value
    assert set(sampled(frame, "fd_x").ways) == {"ddpm", "flow"}


@pytest.mark.slow
def test_of_one_objective_there_is_nothing_to_compare() -> None:
    frame = study()
    alone = frame[(frame["objective"] == "ddpm").fillna(False)]
    assert sampled(alone, "fd_x").ways == {} and not len(sampled(alone, "fd_x").rows)
    assert not len(sampled(frame.assign(sampling_gflops=np.nan), "fd_x").rows)
    assert not len(sampled(frame.iloc[:0], "fd_x").rows)


@pytest.mark.slow
def test_the_objective_is_a_factor_of_the_report() -> None:
    effects = find([("", study())], "fd_x")
    assert effects.factors == ("objective",) and set(effects.ways) == set(WAYS)
    assert set(effects.points["against"]) == {"ddpm"}  # the paper's
    flow = effects.points[effects.points["level"] == "flow"]
    np.testing.assert_allclose(flow["ratio"], 0.8)


@pytest.mark.parametrize(
    ("draws", "least", "most"),
    [pytest.param(15, 12, 3, marks=pytest.mark.slow),
     pytest.param(40, 36, 4, marks=pytest.mark.full)],
)  # fmt: skip
def test_its_true_effect_is_covered(draws: int, least: int, most: int) -> None:
    rng = np.random.default_rng(5)
    hits, told = 0, 0
    for _ in range(draws):
        rows = sampled(study(rng), "fd_x").rows
        table = factor_effects(rows, "objective", "fd_x").set_index(["level", "against"])
        row = table.loc[("ddpm", "flow")]
        hits += row["ratio_low"] <= 1 / 0.8 <= row["ratio_high"]
        told += table.loc[("ddpm", "edm")]["p_holm"] < 0.05
    # corrected for three pairs: each interval covers 95 % or more, a tie is told in 5 % at most
    assert hits >= least and told <= most


@pytest.mark.slow
def test_sampling_steps_of_one_sampler_are_no_objective() -> None:
    frame = study()
    frame = frame[(frame["objective"] != "edm").fillna(False)]
    frame["sampler"] = "euler"  # both can be sampled so
    found = find([("", frame)], "fd_x")
    assert found.factors == ("objective",) and len(found.table) == 1
