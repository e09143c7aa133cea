"""The table that `results` prints: every number once, none averaged, none lost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.commands.results_table import floor_lines, readable, side_by_side
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


def test_a_measurement_is_one_row_whatever_chunks_and_neighbours_its_metrics_had() -> None:
    """Two evaluations of the same samples with other neighbours: two rows, not five."""
    rows = [
        {"metric": m, "value": v, "evaluation": e, "label": "S/8", "sample_key": "x", **own}
        for e, k, base in (("near", 3, 1.0), ("far", 5, 2.0))
        for m, v, own in (
            ("fid", 9.0, {}),
            ("precision", base, {"k": k}),
            ("inception_score", 3.0, {"split_size": 10}),
        )
    ]
    table = side_by_side(pd.DataFrame(rows).assign(of="samples", gflops=1.0, step=6, seed=0))
    assert table[["evaluation", "fid", "precision", "inception_score"]].to_dict("records") == [
        {"evaluation": "near", "fid": 9.0, "precision": 1.0, "inception_score": 3.0},
        {"evaluation": "far", "fid": 9.0, "precision": 2.0, "inception_score": 3.0},
    ]


def test_one_metric_with_two_numbers_of_neighbours_says_which() -> None:
    table = side_by_side(
        frame(
            {"metric": "fid", "value": 9.0},
            {"metric": "precision", "value": 0.1, "k": 3},
            {"metric": "precision", "value": 0.2, "k": 5},
        )
    )
    assert table["k"].tolist() == [3, 5] and table["precision"].tolist() == [0.1, 0.2]
    assert table["fid"].dropna().tolist() == [9.0]


def test_gflops_of_micro_models_are_told_in_a_unit_that_reads_well() -> None:
    micro = readable(pd.DataFrame({"label": ["S", "B"], "gflops": [5.44e-05, 0.00018867]}))
    assert micro["kflops"].round(3).tolist() == [54.4, 188.67]
    large = readable(pd.DataFrame({"gflops": [0.36, 118.64], "train_gflops": [2e9, 4e9]}))
    assert large["Gflops"].tolist() == [0.36, 118.64]
    assert large["train_Eflops"].tolist() == [2.0, 4.0]


def floors(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {"of": "floor", "key": "f", "metric": "fid", "value": 1.0, "samples": 40, "k": None}
    return pd.DataFrame([{**base, "reference_sha256": "abc", **row} for row in rows])


def test_one_floor_needs_no_name() -> None:
    rows = floors({"reference_key": "r"})
    assert floor_lines(rows) == ["floor (real images): fid 1 (40 images)"]


def test_floors_of_two_references_say_whose_they_are() -> None:
    rows = floors(
        {"reference_key": "r", "value": 1.5},
        {"reference_key": "s", "value": 2.5},
        {"reference_key": "r", "of": "samples", "data.channels": 1},
        {"reference_key": "s", "of": "samples", "data.channels": 3},
    )
    rows["data.channels"] = rows["data.channels"].astype("Int64")
    rows.attrs["axes"] = ["data.channels", "model.size"]
    assert floor_lines(rows[rows["of"] == "floor"], rows) == [
        "floor (real images, data.channels=1): fid 1.5 (40 images)",
        "floor (real images, data.channels=3): fid 2.5 (40 images)",
    ]


def test_floors_that_no_axis_tells_apart_are_named_by_their_reference() -> None:
    rows = floors(
        {"reference_key": "r", "reference_sha256": "0123456789"},
        {"reference_key": "s", "reference_sha256": "abcdefghij"},
    )
    assert floor_lines(rows, rows) == [
        "floor (real images, reference 012345): fid 1 (40 images)",
        "floor (real images, reference abcdef): fid 1 (40 images)",
    ]


def test_floors_of_two_sample_counts_say_how_many_images() -> None:
    rows = floors({"reference_key": "r"}, {"reference_key": "r", "samples": 1000, "value": 0.5})
    assert floor_lines(rows, rows) == [
        "floor (real images): fid 1 (40 images)",
        "floor (real images): fid 0.5 (1,000 images)",
    ]


def test_the_first_samples_stand_behind_all_of_them() -> None:
    base = {"label": "S/8", "evaluation": "final", "sample_key": "x", "reference_key": "r"}
    rows = [
        {**base, "of": "samples", "metric": "fid", "value": 9.0, "samples": 500},
        {**base, "of": "samples", "metric": "fid", "value": 8.0, "samples": 500, "step": 12},
        {**base, "of": "subset", "metric": "fid", "value": 9.5, "samples": 300},
        {**base, "of": "subset", "metric": "fid", "value": 1.0, "samples": 300, "sample_key": "y"},
    ]
    rows[1]["sample_key"] = "z"
    table = side_by_side(pd.DataFrame(rows).fillna({"step": 6}).assign(gflops=1.0, seed=0))
    assert table["fid"].tolist() == [9.0, 8.0]
    assert table["fid of 300"].tolist()[0] == 9.5 and pd.isna(table["fid of 300"].tolist()[1])
    assert "samples" not in table  # all of the models are measured on as many


def test_the_first_samples_stand_in_the_line_of_their_evaluation_or_in_none() -> None:
    """Two evaluations of the same samples, once by other neighbours, once by other chunks."""
    both = [("near", 3, 10), ("far", 5, 20)]
    rows = [
        {
            "of": of,
            "metric": metric,
            "value": base + 0.1 * k,
            "evaluation": evaluation,
            "samples": n,
            "k": k if metric == "precision" else None,
            "split_size": chunk if metric == "inception_score" else None,
        }
        for of, n, base in (("samples", 500, 1.0), ("subset", 300, 2.0))
        for evaluation, k, chunk in both
        for metric in ("precision", "inception_score")
    ]
    about = {"label": "S/8", "sample_key": "x", "reference_key": "r", "gflops": 1.0, "step": 6}
    frame = pd.DataFrame(rows).assign(**about, seed=0)
    table = side_by_side(frame).set_index("evaluation")
    assert table["precision of 300"].to_dict() == {"near": 2.3, "far": 2.5}
    assert table["inception_score of 300"].to_dict() == {"near": 2.3, "far": 2.5}
    alike = side_by_side(frame.assign(evaluation="one"))
    assert alike["precision of 300"].tolist() == [2.3, 2.5]
    assert "inception_score of 300" not in alike  # of which chunks?
