"""What a recipe may be; its defaults are the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from refused import refused
from small_study import GOOD, problems, write

from harness.diffusion.schedule import LEAST_STEPS
from harness.spec import load_study
from harness.spec.recipe import SnapshotSettings, TrainSettings


def test_a_schedule_whose_betas_reach_one_is_refused(tmp_path: Path) -> None:
    few, fewest = (f"title: t\ndiffusion: {{steps: {n}}}" for n in (LEAST_STEPS, LEAST_STEPS - 1))
    load_study(write(tmp_path, GOOD.replace("title: A tiny study", few)))
    found = problems(tmp_path, GOOD.replace("title: A tiny study", fewest))
    assert found[0].startswith("study.yaml:3: diffusion.steps 20: give at least 21")
    varied = GOOD.replace("model.size: [S, B]", "model.size: [S]\n    diffusion.steps: [1000, 7]")
    assert "diffusion.steps 7: give at least 21" in problems(tmp_path, varied)[0]


def test_a_recipe_holds_what_is_written_and_its_defaults_are_the_papers() -> None:
    train = TrainSettings.model_validate({"steps": 10, "milestones": (5, 10)})
    assert (train.batch_size, train.learning_rate, train.emas) == (256, 1e-4, (0.9999,))
    assert train.label_dropout == 0.1


@pytest.mark.parametrize(
    ("section", "given", "said"),
    [
        (TrainSettings, {"steps": 10, "milestones": (5, 5)}, "ascend"),
        (TrainSettings, {"steps": 10, "milestones": (5, 11)}, "milestone 11 lies beyond"),
        (TrainSettings, {"steps": 10, "ema": (0.9, 0.9)}, "twice"),
        (SnapshotSettings, {"every": 5, "lengths": (0.1, 0.05)}, "two or more that ascend"),
        (SnapshotSettings, {"every": 5, "lengths": (0.1,)}, "two or more that ascend"),
    ],
)
def test_what_a_section_alone_knows_to_be_wrong_is_refused(
    section: Any, given: dict[str, Any], said: str
) -> None:
    assert said in refused(section, given)
