"""Only like is compared with like; what is missing stays missing."""

from __future__ import annotations

import pytest
from measured_rows import NAMES, B, L, S, final, frame, row

from harness.analysis import selection


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_missing_value_is_left_out_never_zero(bad):
    got = final(row(S, bad), row(B, 5.0))
    assert got["label"].tolist() == [B] and got["value"].tolist() == [5.0]


@pytest.mark.parametrize("cost", [None, float("nan"), 0.0, -1.0])
def test_a_model_whose_cost_is_not_known_is_left_out(cost):
    got = final(row(S, 10.0) | {"gflops": cost}, row(B, 5.0))
    assert got["label"].tolist() == [B]


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


def test_every_step_of_the_samples_that_were_drawn_in_one_way():
    rows = [row(S, 30.0 - s / 10, step=s) for s in (100, 200)]
    rows += [row(S, 1.0, step=s, samples=500) for s in (50, 100, 200)]
    metrics = frame(*rows, row(B, 4.0, step=200))
    way = selection.final_protocol(frame(rows[1]), "fd_glyphs_cnn")[0]
    got = selection.at_every_step(metrics, "fd_glyphs_cnn", way)
    assert got["value"].tolist() == [20.0, 10.0, 4.0] and got["step"].tolist() == [100, 200, 200]
    assert not len(selection.at_every_step(frame(), "fd_glyphs_cnn", way))


def test_other_samples_of_the_same_checkpoints_are_those_of_another_sampling_seed():
    own = [row(S, 10.0), row(B, 5.0)]
    other = [row(m, 9.0, samples=500, sampling_seed=7) for m in (S, B)]
    unlike = [row(S, 1.0, samples=500), row(S, 2.0, sampling_seed=7, guidance_scale=1.5),
              row(S, 3.0, sampling_seed=7, step=7)]  # fmt: skip
    got = selection.of_other_samples(frame(*own, *other, *unlike), "fd_glyphs_cnn")
    assert got["value"].tolist() == [9.0, 9.0] and set(got["label"]) == {S, B}
    assert not len(selection.of_other_samples(frame(*own), "fd_glyphs_cnn"))
    assert not len(selection.of_other_samples(frame(), "fd_glyphs_cnn"))


def test_rows_of_real_images_are_no_model():
    real = {**dict.fromkeys(NAMES), "metric": "fd_glyphs_cnn", "of": "floor", "value": 0.9}
    assert final(row(S), real)["label"].tolist() == [S]


def test_nothing_is_made_of_nothing():
    empty = frame()
    assert selection.final_protocol(empty, "fid") is None
    assert len(selection.final_quality(empty, "fid")) == 0
    assert len(selection.over_training(empty, "fid")[0]) == 0
    assert len(selection.sampling_sweep(empty, "fid")[0]) == 0


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
