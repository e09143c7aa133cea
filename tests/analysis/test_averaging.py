"""Seeds become a mean, a spread and a standard error; what is not known stays missing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from measured_rows import B, S, final, frame, row

from harness.analysis.averaging import averaged, errors, pooled_spread


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


def test_of_nothing_there_is_no_mean_and_all_columns():
    got = averaged(frame())
    assert len(got) == 0 and {"label", "value", "std", "seeds", "se", "se_df"} <= set(got)


def test_errors_are_those_of_the_mean_where_there_is_one_and_else_not_known():
    se, df = errors(pd.DataFrame({"se": [0.5, None], "se_df": [3.0, None]}))
    assert se[0] == 0.5 and df[0] == 3 and np.isnan([se[1], df[1]]).all()
    assert np.isnan(np.concatenate(errors(pd.DataFrame({"value": [1.0]})))).all()


def test_a_spread_of_more_trainings_is_that_of_every_value_and_shares_no_draws():
    own = averaged(
        frame(row(S, 30.0, std=0.3, influence="0.5 Av8="), row(B, 20.0)).assign(label=[S, B])
    )
    assert own["influence"].notna().tolist() == [True, False]
    twice = frame(row(S, 30.0, std=0.3, influence="0.5 Av8="), row(B, 20.0), row(B, 22.0, seed=1))
    out = averaged(twice.assign(label=[S, B, B]), spread=(0.1, 7.0)).set_index("label")
    assert out["se"].to_dict() == pytest.approx({S: 3.0, B: 2.1 / math.sqrt(2)})
    assert set(out["se_df"]) == {7.0} and set(out["basis"]) == {"seeds"}
    assert "influence" not in out and pooled_spread(own) is None
    relative, free = pooled_spread(averaged(twice.assign(label=[S, B, B])))
    assert relative == pytest.approx(math.sqrt(2) / 21) and free == 1
