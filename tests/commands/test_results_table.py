"""The table that `results` prints: every number once, none averaged, none lost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.commands.results import side_by_side
from harness.store.tables import METRICS


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {
        "metric": "fid",
        "of": "samples",
        "model": "DiT-XL/2",
        "gflops": 118.6,
        "seed": 0,
        "step": 400_000,
        "sampling_steps": 250,
        "sampler": "ancestral",
        "guidance_scale": 1.5,
        "decoder": "ft-ema",
        "samples": 50_000,
        "sampling_seed": 0,
        "recipe": '{"ema":0.9999}',
    }
    return pd.DataFrame([{**base, **r} for r in rows], columns=[c.name for c in METRICS])


def test_metrics_of_the_same_samples_share_a_row() -> None:
    table = side_by_side(
        frame(
            {"metric": "fid", "value": 2.27},
            {"metric": "precision", "value": 0.83, "k": 3},
            {"metric": "inception_score", "value": 278.0, "split_size": 5000},
        )
    )
    assert table.to_dict("records") == [
        {
            "label": "DiT-XL/2",
            "step": 400_000,
            "gflops": 118.6,
            "fid": 2.27,
            "precision": 0.83,
            "inception_score": 278.0,
        }
    ]


def test_all_channels_guided_is_a_way_of_its_own_not_a_missing_value() -> None:
    table = side_by_side(frame({"value": 2.2}, {"value": 2.3, "guidance_channels": 3}))
    assert table["guidance_channels"].tolist() == ["-", 3]
    assert table["fid"].tolist() == [2.2, 2.3]


def test_recipes_that_differ_are_named_and_not_averaged() -> None:
    table = side_by_side(frame({"value": 9.0}, {"value": 11.0, "recipe": '{"ema":0.999}'}))
    assert dict(zip(table["label"], table["fid"], strict=True)) == {
        "DiT-XL/2 ema 0.9999": 9.0,
        "DiT-XL/2 ema 0.999": 11.0,
    }


def test_what_nothing_tells_apart_gets_two_rows_never_a_mean() -> None:
    table = side_by_side(frame({"value": 9.0, "key": "a"}, {"value": 11.0, "key": "b"}))
    assert sorted(table["fid"]) == [9.0, 11.0]
