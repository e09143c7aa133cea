"""Only like is compared with like; missing stays missing; seeds become a mean and a spread."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

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


def test_seeds_become_a_mean_and_a_spread():
    got = final(row(S, 10.0, seed=0), row(S, 14.0, seed=1), row(S, 12.0, seed=2), row(B, 5.0))
    assert got["label"].tolist() == [S, B]
    assert got["value"].tolist() == [12.0, 5.0]
    assert got["std"][0] == pytest.approx(2.0) and math.isnan(got["std"][1])
    assert got["seeds"].tolist() == [3, 1]


def test_sampling_seeds_of_one_training_are_not_counted_as_spread():
    got = final(row(S, 10.0, sampling_seed=0), row(S, 14.0, sampling_seed=1))
    assert got["value"].tolist() == [12.0] and got["seeds"].tolist() == [1]
    assert math.isnan(got["std"][0])


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_missing_value_is_left_out_never_zero(bad):
    got = final(row(S, bad), row(B, 5.0))
    assert got["label"].tolist() == [B] and got["value"].tolist() == [5.0]


def test_values_of_another_number_of_samples_are_not_mixed_in():
    got = final(row(S, 10.0), row(B, 5.0), row(S, 30.0, samples=500), row(S, 8.0, samples=5000))
    assert got["value"].tolist() == [10.0, 5.0]


def test_of_equal_measurements_the_one_followed_over_training_is_compared():
    sweep = [row(S, 10.0 - n, sampling_steps=n) for n in (2, 4, 8)]
    got = final(row(S, 20.0, step=50, sampling_steps=4), *sweep)
    assert got["value"].tolist() == [6.0]


def test_guided_values_do_not_enter_the_unguided_comparison():
    got = final(row(S, 10.0), row(S, 1.0, guidance_scale=1.5), row(B, 1.0, guidance_scale=1.5))
    assert got["value"].tolist() == [10.0]


def test_a_half_finished_study_is_compared_where_its_models_can_be():
    early = [row(m, v, step=100) for m, v in ((S, 30.0), (B, 20.0), (L, 15.0))]
    late = [row(S, 10.0, step=200), row(B, 9.0, step=200)]
    assert final(*early, *late)["value"].tolist() == [30.0, 20.0, 15.0]
    assert final(*early, *late, row(L, 8.0, step=200))["value"].tolist() == [10.0, 9.0, 8.0]


def test_labels_name_what_else_differs_and_nothing_more():
    labels = selection.labelled(frame(row(S), row(S, block="in-context"), row(S, seed=1)))["label"]
    assert labels.tolist() == [f"{S} adaln-zero", f"{S} in-context", f"{S} adaln-zero"]
    whole = frame(row(S, image_size=256.0), row(S, image_size=512.0))
    assert selection.labelled(whole)["label"].tolist() == [f"{S} 256 px", f"{S} 512 px"]


def test_a_sweep_has_rows_that_differ_in_steps_alone():
    sweep = [row(S, 9.0 - n / 10, samples=500, sampling_steps=n) for n in (4, 8, 16)]
    got, protocol = selection.sampling_sweep(frame(row(S), *sweep), "fd_glyphs_cnn")
    assert got["sampling_steps"].tolist() == [4, 8, 16]
    assert protocol.samples == 500 and protocol.sampling_steps is None


def test_one_step_count_is_no_sweep():
    got, protocol = selection.sampling_sweep(frame(row(S), row(B)), "fd_glyphs_cnn")
    assert len(got) == 0 and protocol is None


def test_quality_over_training_takes_the_protocol_measured_most_often():
    rows = [row(S, 30.0 - s / 10, step=s) for s in (100, 200)]
    got, protocol = selection.over_training(
        frame(*rows, row(S, 1.0, step=200, samples=500)), "fd_glyphs_cnn"
    )
    assert got["value"].tolist() == [20.0, 10.0] and protocol.samples == 1000


def test_rows_of_real_images_are_no_model():
    real = {**dict.fromkeys(NAMES), "metric": "fd_glyphs_cnn", "of": "floor", "value": 0.9}
    assert final(row(S), real)["label"].tolist() == [S]


def test_nothing_is_made_of_nothing():
    empty = frame()
    assert selection.final_protocol(empty, "fid") is None
    assert len(selection.final_quality(empty, "fid")) == 0
    assert len(selection.over_training(empty, "fid")[0]) == 0
    assert len(selection.sampling_sweep(empty, "fid")[0]) == 0


def recipe(**changes):
    return json.dumps({"ema": 0.9999, "flip": True, "grad_clip": None, **changes})


def test_models_trained_another_way_are_told_apart_not_averaged():
    rows = [
        row(S, 10.0),
        row(S, 20.0, recipe=recipe(ema=0.99)),
        row(S, 30.0, recipe=recipe(flip=False)),
    ]
    got = final(*rows)
    assert dict(zip(got["label"], got["value"], strict=True)) == {
        f"{S} ema 0.9999, flip on": 10.0,
        f"{S} ema 0.99, flip on": 20.0,
        f"{S} ema 0.9999, flip off": 30.0,
    }


def test_models_trained_on_other_data_of_the_same_name_are_told_apart():
    got = final(row(S, 10.0), row(S, 20.0, data_sha256="e" * 64))
    assert sorted(got["value"]) == [10.0, 20.0]


def test_records_from_before_recipes_were_written_keep_their_label():
    got = final(row(S, 10.0, recipe=None), row(S, 14.0, recipe=None, seed=1))
    assert got["label"].tolist() == [S] and got["value"].tolist() == [12.0]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("clip", True),
        ("sampler", "ddim"),
        ("eta", 0.5),
        ("guidance_channels", 3),
        ("guidance_low", 10),
        ("sampling_precision", "bf16"),
        ("decoder", "ft-mse"),
        ("k", 5),
        ("split_size", 100),
    ],
)
def test_what_was_measured_another_way_is_not_averaged_in(column, value):
    got = final(row(S, 10.0), row(S, 20.0, **{column: value}))
    assert len(got) == 1 and got["value"][0] in (10.0, 20.0)


def test_other_metrics_of_the_same_samples_have_settings_of_their_own():
    """As records are: only precision has neighbours, only the score has chunks."""
    rows = [row(m, v, k=None, split_size=None) for m, v in ((S, 10.0), (B, 5.0))]
    rows += [row(S, 0.5, metric="precision_glyphs_cnn", k=3, split_size=None)]
    rows += [row(B, 0.7, metric="precision_glyphs_cnn", k=k, split_size=None) for k in (3, 5)]
    rows += [row(S, 0.1, metric="precision_glyphs_cnn", k=3, split_size=None, samples=50)]
    rows += [row(S, 4.0, metric="is_glyphs_cnn", k=None, split_size=500)]
    metrics = frame(*rows)
    protocol, step = selection.final_protocol(metrics, "fd_glyphs_cnn")
    precision = selection.of_the_same_samples(metrics, "precision_glyphs_cnn", protocol, step)
    assert precision["value"].tolist() == [0.5, 0.7]
    score = selection.of_the_same_samples(metrics, "is_glyphs_cnn", protocol, step)
    assert score["label"].tolist() == [S] and score["value"].tolist() == [4.0]
    assert len(selection.of_the_same_samples(metrics, "kid_glyphs_cnn", protocol, step)) == 0


def test_checkpoints_of_an_unknown_step_are_compared_and_have_no_training_curve():
    unknown = [row(m, v, step=None, train_gflops=None) for m, v in ((S, 10.0), (B, 5.0))]
    more = [{**r, "sampling_steps": 10, "value": r["value"] + 1} for r in unknown]
    metrics = frame(*unknown, *more).astype({"step": "Int64"})
    assert selection.final_protocol(metrics, "fd_glyphs_cnn")[1] is None
    got = selection.final_quality(metrics, "fd_glyphs_cnn")
    assert got["value"].tolist() == [10.0, 5.0]
    assert len(selection.over_training(metrics, "fd_glyphs_cnn")[0]) == 0
    sweep, _ = selection.sampling_sweep(metrics, "fd_glyphs_cnn")
    assert sweep["value"].tolist() == [11.0, 10.0, 6.0, 5.0]


def test_settings_that_differ_in_a_late_digit_are_told_apart():
    got = final(row(S, 10.0, learning_rate=1e-3), row(S, 20.0, learning_rate=1.0000001e-3))
    assert sorted(got["value"]) == [10.0, 20.0]
    got = final(row(S, 10.0), row(S, 20.0, recipe=recipe(ema=0.99990001)))
    assert sorted(got["value"]) == [10.0, 20.0]


def test_runs_that_no_recorded_setting_tells_apart_are_not_averaged():
    """Records from before recipes were written: the run's id alone says that they differ."""
    one, two = (row(S, v, recipe=None, run=r * 64) for v, r in ((10.0, "a"), (20.0, "b")))
    got = final(one, two, row(B, 5.0, run="c" * 64))
    assert got["label"].tolist() == [f"{S} run aaaaaa", f"{S} run bbbbbb", B]
    assert got["value"].tolist() == [10.0, 20.0, 5.0]


def test_the_standard_error_of_seeds_is_pooled_and_speaks_of_the_model():
    rows = [row(m, v * w, seed=s, std=0.1) for m, v in ((S, 30.0), (B, 20.0))
            for s, w in ((0, 0.9), (1, 1.1))]  # fmt: skip
    out = final(*rows)
    assert out["basis"].tolist() == ["seeds", "seeds"] and out["se_df"].tolist() == [2, 2]
    relative = math.sqrt(0.02)  # of each model's two values
    assert out["se"].tolist() == pytest.approx(
        [v * relative / math.sqrt(2) for v in out["value"]], rel=1e-6
    )


def test_with_one_seed_the_recorded_error_speaks_of_the_checkpoint():
    out = final(row(S, 30.0, std=0.3), row(S, 32.0, std=0.4, sampling_seed=1), row(B, 20.0))
    assert out["se"].iloc[0] == pytest.approx(0.25) and out["basis"].iloc[0] == "checkpoints"
    assert pd.isna(out["se"].iloc[1]) and out["basis"].iloc[1] is None
    assert out["std"].isna().all() and out["seeds"].tolist() == [1, 1]


def test_images_that_differ_by_an_axis_of_the_study_are_told_by_its_value() -> None:
    """Not by the checksum of their data, which nobody can read."""
    rows = frame(row(S, data_sha256="a" * 64, run="1"), row(S, data_sha256="b" * 64, run="2"))
    rows["data.channels"] = pd.array([1, 3], dtype="Int64")
    assert selection.labelled(rows)["label"].tolist() == [f"{S} channels 1", f"{S} channels 3"]
    rows["data.flip"] = [True, False]
    assert selection.labelled(rows)["label"].tolist() == [
        f"{S} channels 1, flip on",
        f"{S} channels 3, flip off",
    ]
    assert selection.data_in_words(rows[:1], rows) == "channels 1, flip on"
    assert selection.data_in_words(rows, rows) == selection.data_in_words(rows[:1], rows[:1]) == ""
    same = rows.drop(columns=["data.channels", "data.flip"])
    assert selection.labelled(same)["label"].tolist() == [f"{S} data aaaaaa", f"{S} data bbbbbb"]
