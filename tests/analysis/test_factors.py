"""Ablations in pairs: effects, their coverage, and a choice that does not flatter itself."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from ablations import SIZES, better, study
from scipy import stats

from harness.analysis.factors import axes, choose, factor_effects, mean_effect, paired, with_recipe
from harness.analysis.intervals import interval
from harness.errors import BadInput
from harness.store import influences


def test_axes_know_their_part():
    rows = study(better).assign(
        batch_size=[256, 128] * 9, recipe=[json.dumps({"ema": e, "clip": 1}) for e in [0, 1, 2] * 6]
    )
    found = axes(rows.assign(depth=12))
    assert found.compute == ("batch_size",) and found.replicates == ("seed",)
    assert found.factors == ("learning_rate", "ema")
    full, names = with_recipe(rows)
    assert names == ("ema", "clip") and full["ema"].tolist() == [0, 1, 2] * 6
    assert with_recipe(study(better))[1] == ()


def test_an_effect_is_found_in_pairs_with_its_direction():
    (row,) = factor_effects(study(better), "learning_rate", "fid").to_dict("records")
    assert (row["level"], row["against"], row["better"]) == (0.1, 0.2, 0.2)
    assert row["ratio_low"] < math.exp(0.3) < row["ratio_high"] and row["ratio_low"] > 1
    assert (row["models"], row["seeds"], row["basis"]) == (3, 3, "seeds")
    (row,) = factor_effects(study(better), "learning_rate", "inception_score").to_dict("records")
    assert row["better"] == 0.1


def test_with_one_seed_it_is_of_these_checkpoints_and_without_errors_a_tie():
    (row,) = factor_effects(study(better, 1, 0.02, std=0.02), "learning_rate", "fid").to_dict(
        "records"
    )
    assert row["basis"] == "checkpoints" and row["better"] == 0.2
    (row,) = factor_effects(study(better, 1, 0.02), "learning_rate", "fid").to_dict("records")
    assert row["better"] is None and row["basis"] is None and math.isinf(row["ratio_high"])


def test_pairs_that_all_differ_by_the_same_are_tested_by_nothing():
    """A standard error of 0 is one that was not seen: it gave p-values of 10^-124."""
    rows = study(better)
    rows["value"] = np.where(rows["learning_rate"] == 0.1, 8.0, 6.0)
    (row,) = factor_effects(rows, "learning_rate", "fid").to_dict("records")
    assert row["degenerate"] and row["better"] is None and math.isnan(row["p_holm"])
    assert row["ratio"] == pytest.approx(8 / 6) and math.isinf(row["ratio_high"])
    (row,) = factor_effects(study(better), "learning_rate", "fid").to_dict("records")
    assert not row["degenerate"]


def test_what_else_differs_is_held_equal():
    one, other = study(better), study(better).assign(block="adaln", value=1e3)
    pooled = pd.concat([one.assign(block="adaln-zero"), other])
    pairs = paired(pooled, "learning_rate", 0.1, 0.2)
    assert len(pairs.gain) == 6 and set(np.round(pairs.gain, 12)) >= {0.0}
    assert paired(one, "learning_rate", 0.1, 0.3).gain.size == 0
    with pytest.raises(BadInput, match="no column 'dropout'"):
        paired(one, "dropout", 0, 1)


def test_a_block_is_compared_although_its_gflops_differ():
    a = study(better, levels=(0.1,)).assign(block="adaln-zero")
    b = a.assign(block="cross-attention", gflops=a["gflops"] * 1.16, value=a["value"] * 1.34)
    (row,) = factor_effects(pd.concat([a, b]), "block", "fid").to_dict("records")
    assert row["gflops_ratio"] == pytest.approx(1 / 1.16) and row["ratio"] == pytest.approx(
        1 / 1.34
    )


@pytest.mark.slow
@pytest.mark.parametrize("seeds, std", [(3, None), (1, 0.1)])
def test_the_interval_of_an_effect_holds_the_truth(seeds, std):
    draws, rng = 60, np.random.default_rng(1)
    held = 0
    for _ in range(draws):
        pairs = paired(study(better, seeds, std=std, rng=rng), "learning_rate", 0.1, 0.2)
        held += 0.3 in mean_effect(pairs).interval
    assert stats.binom.cdf(held, draws, 0.95) > 1e-3


@pytest.mark.slow
def test_of_equal_recipes_one_is_called_better_one_time_in_twenty():
    draws, rng = 30, np.random.default_rng(2)
    wrong = sum(
        factor_effects(
            study(lambda *_: 0.0, 2, levels=(0.1, 0.2, 0.3), rng=rng), "learning_rate", "fid"
        )["better"].notna().any()
        for _ in range(draws)
    )  # fmt: skip
    assert stats.binom.sf(wrong - 1, draws, 0.05) > 1e-3


def test_a_choice_is_valued_on_other_samples():
    twice = pd.concat([study(lambda *_: 0.0, 1, std=0.1).assign(sampling_seed=s) for s in (0, 1)])
    twice.loc[(twice.sampling_seed == 0) & (twice.learning_rate == 0.2), "value"] = 1.0
    chosen = choose(twice, "learning_rate", "fid")
    assert {c.level for c in chosen} == {0.2} and len(chosen) == 3
    assert all(c.value > 1 and c.chosen_on == "sampling_seed 0" and c.se > 0 for c in chosen)
    assert all(c.flattered == 1.0 and c.levels == 2 for c in chosen)
    assert {(c.valued_on, c.basis) for c in chosen} == {("sampling_seed 1", "checkpoints")}
    assert choose(study(better, 1), "learning_rate", "fid") == ()


def test_a_choice_is_valued_on_other_trainings_where_there_are_some():
    """Their luck in training would be chosen too, if the halves were samples of one training."""
    seeds = pd.concat([study(better, 4).assign(sampling_seed=s) for s in (0, 1)])
    (one, *_) = choose(seeds, "learning_rate", "fid")
    assert (one.chosen_on, one.valued_on, one.level) == ("seed 0, 1", "seed 2, 3", 0.2)
    assert one.basis == "seeds" and one.se > 0 and one.df == 6  # of two levels, four seeds each


def test_a_choice_may_be_made_on_another_evaluation_of_other_samples():
    rows = study(lambda *_: 0.0, 1, std=0.1).assign(sampling_seed=0)
    on = rows.assign(sampling_seed=7, value=[1.0 if v == 0.1 else 2.0 for v in rows.learning_rate])
    chosen = choose(rows, "learning_rate", "fid", on)
    assert {(c.level, c.chosen_on) for c in chosen} == {(0.1, "sampling_seed 7")}
    values = rows[rows["learning_rate"] == 0.1].set_index("model")["value"]
    assert all(c.value == values[c.model] and c.flattered == 1.0 for c in chosen)
    assert choose(rows, "learning_rate", "fid", on.assign(sampling_seed=0)) == ()  # the same
    assert choose(rows, "learning_rate", "fid", on[on["learning_rate"] == 0.1]) == ()


def test_a_level_without_some_seed_is_compared_by_those_that_all_have():
    rows = study(better, 4, levels=(0.1, 0.2, 0.3))
    worse = rows["value"].where(rows["learning_rate"] != 0.3, 1e3)
    lucky = rows.assign(value=worse.where(worse.index % 4 != 0, 1e-3))  # of seed 0, every level
    gone = lucky[(lucky["learning_rate"] == 0.3) | (lucky["seed"] != 0)]
    chosen = choose(gone, "learning_rate", "fid")
    assert {(c.level, c.levels, c.chosen_on) for c in chosen} == {(0.2, 3, "seed 1")}


def test_a_level_with_too_few_of_the_seeds_is_not_chosen():
    rows = study(better, 4, levels=(0.1, 0.2, 0.3))
    lucky = rows.assign(value=rows["value"].where(rows["learning_rate"] != 0.3, 1e-3))
    gone = lucky[(lucky["learning_rate"] != 0.3) | (lucky["seed"] == 1)]
    chosen = choose(gone, "learning_rate", "fid")
    assert {(c.level, c.levels) for c in chosen} == {(0.2, 2)}


def test_the_choice_of_two_trainings_speaks_of_the_model():
    """The half that values has one training each: its recorded error is of that checkpoint."""
    twice = study(better, 2, std=1e-4).assign(sampling_seed=0)
    assert {c.basis for c in choose(twice, "learning_rate", "fid")} == {"seeds"}
    assert min(c.se / c.value for c in choose(twice, "learning_rate", "fid")) > 1e-3


@pytest.mark.slow
def test_the_best_of_equal_recipes_is_not_flattered_and_its_interval_holds_the_truth():
    rng = np.random.default_rng(4)
    chosen = [
        (c, 60 * SIZES[c.model] ** -0.3)
        for _ in range(40)
        for c in choose(
            study(lambda *_: 0.0, 2, levels=range(1, 7), rng=rng), "learning_rate", "fid"
        )
    ]
    gains = [math.log(c.value / truth) for c, truth in chosen]
    assert abs(np.mean(gains)) < 4 * 0.1 / math.sqrt(len(gains))
    held = sum(truth in interval(c.value, c.se, c.df) for c, truth in chosen)
    assert stats.binom.cdf(held, len(chosen), 0.95) > 1e-3


def test_values_that_are_not_positive_are_compared_by_their_differences():
    rows = study(better, 2, spread=0.01)
    other = rows["learning_rate"] == 0.2  # whose seeds spread otherwise, or nothing would vary
    rows["value"] = np.where(other, -0.001, 0.02) + rows["seed"] * np.where(other, 2e-4, 1e-4)
    (row,) = factor_effects(rows, "learning_rate", "kid").to_dict("records")
    assert row["better"] == 0.2


def scheduled(schedule, horizon, seed, step, value):
    recipe = {"weight_decay": 0.0, "grad_clip": None if schedule else 1.0}
    if schedule:
        recipe |= {"schedule": {"name": schedule, "warmup": 5}, "horizon": horizon}
    return {"model": "DiT-S/4", "gflops": 1.4, "step": step, "seed": seed, "value": value + seed,
            "recipe": json.dumps(recipe)}  # fmt: skip


def test_a_constant_rate_and_no_clipping_are_levels():
    rows = pd.DataFrame(
        [scheduled(s, 100, seed, 100, v) for seed in (0, 1, 2)
         for s, v in (("cosine", 50.0), (None, 80.0))]
    )  # fmt: skip
    assert set(axes(rows).factors) == {"schedule", "grad_clip"}
    full, _ = with_recipe(rows)
    assert set(full["grad_clip"]) == {"off", 1.0} and "constant" in set(full["schedule"])
    alike = rows.assign(recipe=[r.replace('"grad_clip": null', '"grad_clip": 1.0')
                                for r in rows["recipe"]])  # fmt: skip
    (row,) = factor_effects(alike, "schedule", "fid").to_dict("records")
    assert {row["level"], row["against"]} == {"constant", '{"name": "cosine", "warmup": 5}'}
    assert row["better"] != "constant" and row["seeds"] == 3


def test_a_rate_that_is_not_scaled_by_the_width_is_a_level():
    rows = pd.DataFrame(
        [{"model": "m", "gflops": 1.0, "step": 10, "seed": 0, "value": v, "std": 0.1,
          "recipe": json.dumps({"base_width": base})} for base, v in ((None, 80.0), (32, 50.0))]
    )  # fmt: skip
    assert axes(rows).factors == ("base_width",)
    (row,) = factor_effects(rows, "base_width", "fid").to_dict("records")
    assert {row["level"], row["against"]} == {"off", 32} and row["better"] == 32


def test_a_schedule_on_the_way_to_its_end_is_not_compared_with_a_constant_rate():
    rows = pd.DataFrame(
        [scheduled(s, h, 0, 100, 50.0) for s, h in (("cosine", 200), (None, None))]
    ).assign(grad_clip=1.0)
    assert not len(factor_effects(rows, "schedule", "fid"))


def test_rows_that_record_no_recipe_have_no_level():
    rows = pd.DataFrame([scheduled("cosine", 100, 0, 100, 50.0), {"recipe": None}])
    full, _ = with_recipe(rows)
    assert (
        full["schedule"].isna().tolist() == [False, True] and "schedule" not in axes(rows).factors
    )


@pytest.mark.slow
def test_effects_of_models_that_share_draws_are_no_independent_ones():
    """The mean effect over models is as sure as its draws: what all models' ratios share stays."""
    rng, held, blind = np.random.default_rng(4), 0, 0
    for _ in range(80):
        common, rows = rng.normal(size=32) * np.sqrt(32), []
        for k in range(8):
            for base in (None, 32):
                own = rng.normal(size=32) * np.sqrt(32)
                # one level moves with the draws of all models, the other with its own alone
                moved = 3.0 * (common if base else own)
                rows.append({
                    "model": f"m{k}", "gflops": 1.0 + k, "step": 10, "seed": 0, "samples": 256,
                    "value": 60.0 + moved.mean(), "std": 3.0, "std_df": 19.0, "sampling_seed": 0,
                    "influence": influences.written(moved - moved.mean()),
                    "recipe": json.dumps({"base_width": base}),
                })  # fmt: skip
        frame = pd.DataFrame(rows)
        held += 0 in mean_effect(paired(frame, "base_width", "off", 32)).interval
        alone = mean_effect(paired(frame.drop(columns="influence"), "base_width", "off", 32))
        blind += 0 in alone.interval
    assert held >= 70 and blind < 60
