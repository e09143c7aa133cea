"""What records say of a checkpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.plan.stages import TrainStage
from harness.stages.trained import NETWORK, recipe_of
from harness.store import tables


def settings(prepared: Any, **changes: Any) -> TrainStage:
    return TrainStage.model_validate({**json.loads(prepared.task("train").settings), **changes})


@pytest.mark.slow
def test_the_row_of_a_checkpoint_says_its_network_data_and_training(undisturbed: Any) -> None:
    task = undisturbed.task("train")
    (row,) = undisturbed.rows(task, "runs")
    tables.check("runs", row)
    assert [row[name] for name in NETWORK] == [None, 4, "adaln-zero", 2, 16, 2]
    assert (row["input_size"], row["tokens"], row["batch_size"]) == (8, 4, 8)
    assert (row["data"], row["image_size"], row["step"]) == ("glyphs", 8, 12)
    # the paper's estimate: three times the forward pass, of each image of each step
    assert row["train_gflops"] == pytest.approx(row["gflops"] * 8 * 12 * 3)


def test_a_recipe_holds_what_has_no_column_of_its_own(prepared: Any) -> None:
    found = recipe_of(settings(prepared))
    columns = {column.name for column in tables.MODEL}
    assert not set(found) & columns
    assert found["flip"] is True and found["diffusion_steps"] == 50
    assert found["ema"] == 0.9 and "base_width" not in found
    assert recipe_of(settings(prepared), base_width=64)["base_width"] == 64


def test_trainings_that_differ_have_other_recipes(prepared: Any) -> None:
    plain = recipe_of(settings(prepared))
    assert recipe_of(settings(prepared, flip=False)) != plain
    other = recipe_of(settings(prepared, objective={"name": "flow"}, diffusion_steps=None))
    assert other["objective"] == {"name": "flow"} and "diffusion_steps" not in other
    assert recipe_of(settings(prepared, seed=9)) == plain, "the seed is the replicate"
