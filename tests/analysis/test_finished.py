"""Checkpoints before the end of a falling rate are no trainings of their length."""

from __future__ import annotations

import hashlib
import json

import pandas as pd
import pytest

from harness.analysis import selection
from harness.analysis.finished import finished
from harness.store.tables import TABLES

COSINE = {"name": "cosine", "warmup": 0}
WSD = {"name": "wsd", "decay": 0.2}


PANDAS = {"int64": "Int64", "string": "string", "float64": "float64", "bool": "object"}


def rows(*trainings, seeds=(0,)):
    """Records of `trainings`: (schedule or None, horizon or None, steps)."""
    out = []
    for schedule, horizon, steps in trainings:
        recipe = {"schedule": schedule} if schedule else {}
        recipe |= {"horizon": horizon} if horizon else {}
        for seed in seeds:
            for step in steps:
                out.append({
                    "metric": "fid", "value": 1000.0 / step, "std": 1.0, "of": "samples",
                    "model": "DiT-S/2", "size": "S", "patch_size": 2, "gflops": 6.0, "seed": seed,
                    "train_gflops": 6.0 * step, "step": step, "recipe": json.dumps(recipe),
                    "samples": 1000, "sampling_steps": 50,
                    "run": hashlib.sha256(f"{recipe}-{seed}".encode()).hexdigest(),
                })  # fmt: skip
    frame = pd.DataFrame(out, columns=[c.name for c in TABLES["metrics"]])
    return frame.astype({c.name: PANDAS[c.type] for c in TABLES["metrics"]})


@pytest.mark.slow
def test_at_a_constant_rate_every_checkpoint_is_finished():
    found = rows((None, None, (100, 200)), ({"name": "warmup", "warmup": 5}, None, (100,)))
    assert finished(found).all()
    found.loc[0, "recipe"] = None  # imported, or of before recipes were recorded
    assert finished(found).all()
    one = rows((None, None, (100, 200, 400)))
    same, protocol = selection.over_finished(one, "fid")
    pd.testing.assert_frame_equal(same, selection.over_training(one, "fid")[0])
    assert protocol is not None


def test_of_a_cosine_the_last_checkpoint_alone_is():
    found = rows((COSINE, 400, (100, 200, 400)))
    assert list(finished(found)) == [False, False, True]


def test_the_tails_of_one_trunk_are_one_curve():
    trunk, tails = (WSD, None, (80, 160, 320)), [(WSD, h, (h,)) for h in (100, 200, 400)]
    found = rows(trunk, *tails, seeds=(0, 1))
    assert list(finished(found)) == [False] * 6 + [True] * 6
    curve, _ = selection.over_finished(found, "fid")
    assert list(curve["label"]) == ["DiT-S/2"] * 3 and list(curve["step"]) == [100, 200, 400]
    assert list(curve["seeds"]) == [2, 2, 2]
    apart, _ = selection.over_training(found, "fid")
    assert "DiT-S/2 to 200 steps" in set(apart["label"])


@pytest.mark.slow
def test_trainings_that_differ_in_more_than_their_length_stay_apart():
    low, high = ({**COSINE, "final": f} for f in (0.0, 0.1))
    found = rows((low, 200, (200,)), (high, 200, (200,)), (low, 400, (400,)), (high, 400, (400,)))
    curve, _ = selection.over_finished(found, "fid")
    assert curve["label"].nunique() == 2 and curve.groupby("label")["step"].nunique().eq(2).all()
    found["recipe"] = None  # nothing recorded tells the two of one step apart but their runs
    alone, _ = selection.over_finished(found, "fid")
    assert alone["label"].nunique() == 4


def test_a_checkpoint_of_unknown_step_is_on_the_way() -> None:
    """Of imported checkpoints no step is recorded: comparing it ended in a traceback."""
    found = rows((COSINE, 100, (50, 100)))
    found["step"] = pd.array([pd.NA, 100], dtype="Int64")
    assert finished(found).tolist() == [False, True]
    assert finished(rows((None, None, (5,))).assign(step=pd.NA)).tolist() == [True]
