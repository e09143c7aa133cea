"""What a study calls its runs: short, in the report's words, and no two alike."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from planned import study_of

from harness import load_study
from harness.analysis import labelled
from harness.plan.build import make_plan
from harness.plan.index import index
from harness.plan.stages import TrainStage
from harness.spec.study import Study
from harness.stages.trained import recipe_of


def labels(folder: Path, *axes: str) -> list[str]:
    clear = ("matrix.axes.model.size=null", "matrix.axes.model.patch_size=null")
    given = [f"matrix.axes.{axis}" for axis in axes]
    study = study_of(folder, *clear, "model.size=S", "model.patch_size=8", *given)
    assert len({run.label for run in study.runs}) == len(study.runs)
    return [run.label.removeprefix("DiT-micro-S/8 ") for run in study.runs]


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ("train.learning_rate=[0.1, 1e-5]", ["lr 0.1", "lr 1e-05"]),
        ("train.steps=[6, 1200]", ["to 6 steps", "to 1,200 steps"]),
        ("diffusion.steps=[1000, 500]", ["diffusion steps 1000", "diffusion steps 500"]),
        ("objective=[ddpm, flow]", ["ddpm", "flow"]),
        ("objective=[{name: flow}, {name: flow, prediction: data}]", None),
        ("train.schedule=[constant, {name: wsd, warmup: 2, decay: 0.2}]", ["constant", "wsd"]),
        ("train.optimizer=[adamw, {name: muon}]", ["adamw", "muon"]),
        ("data.flip=[true, false]", ["flip on", "flip off"]),
        ("data.image_size=[8, 16]", ["8 px", "16 px"]),
        ("train.grad_clip=[null, 1.0]", ["clip off", "clip 1"]),
        ("model.base_width=[null, 16]", ["base width off", "base width 16"]),
        ("model.block=[adaln, adaln-zero]", ["adaln", "adaln-zero"]),
        ("seed=[3, 0]", ["seed 3", "seed 0"]),
        ("train.learning_rate=[0.1]", ["DiT-micro-S/8"]),  # what all runs share tells nothing
    ],
)
def test_a_value_is_said_in_short_words(axis: str, said: list[str] | None, tmp_path: Path) -> None:
    found = labels(tmp_path, axis)
    assert found == (said or ["prediction velocity", "prediction data"])


def test_the_seed_stands_last_and_the_block_first(tmp_path: Path) -> None:
    axes = ("seed=[0, 1]", "train.ema=[0.9, 0.5]", "model.block=[adaln, adaln-zero]")
    assert labels(tmp_path, *axes)[:2] == ["adaln, ema 0.9, seed 0", "adaln-zero, ema 0.9, seed 0"]


def test_settings_of_networks_whose_names_tell_them_apart_are_not_said() -> None:
    found = [run.label for run in load_study("studies/families.yaml").runs]
    assert "UNet-20" in found and len(set(found)) == len(found)


def of_the_report(study: Study) -> dict[str, str]:
    """By a run's label the report's, of records as these runs would leave them."""
    rows = []
    plan = make_plan(study)
    stages = {stage.run: stage for stage in plan.stages.values() if stage.kind == "train"}
    for number, run in enumerate(study.runs):
        settings = TrainStage.model_validate_json(stages[number].settings)
        own = {k: v for k, v in run.objective.content().items() if k != "name"} if isinstance(
            run.objective.content(), dict) else None  # fmt: skip
        rows.append({
            "model": run.model.label,
            "block": run.model.facts.get("block"),
            "image_size": run.data.image_size,
            "autoencoder": run.codec.name,
            "data": run.data.name,
            "batch_size": settings.recipe.batch_size,
            "learning_rate": settings.recipe.learning_rate,
            "objective": run.objective.name,
            "objective_settings": json.dumps(own) if own else None,
            "recipe": json.dumps(recipe_of(settings, getattr(run.model.component, "base_width",
                                                             None))),
            "data_sha256": "d",
            "seed": run.seed,
            "own": run.label,
            "run": re.sub(r"to [\d,]+ steps", "", run.label),
        })  # fmt: skip
    told = labelled(pd.DataFrame(rows), lengths=True)
    return dict(zip(told["own"], told["label"], strict=True))


@pytest.mark.parametrize("name", ["objectives", "schedules", "rates", "blocks", "families"])
def test_runs_are_called_as_the_report_calls_their_configurations(name: str) -> None:
    study = load_study(f"studies/{name}.yaml")
    for own, reports in of_the_report(study).items():
        words = [w for w in own.split(", ") if not w.startswith("seed ")]
        if name == "schedules":  # the length of a constant rate is a step of the report, no recipe
            model, _, first = words[0].partition(" ")
            words = sorted([first, *words[1:]])
            theirs = sorted(reports.removeprefix(model).strip().split(", "))
            assert [w for w in words if w in theirs or not w.startswith("to ")] == theirs
        else:
            assert ", ".join(words) == reports


def test_frames_leave_the_seed_to_its_column(tmp_path: Path) -> None:
    study = study_of(tmp_path, "matrix.axes.seed=[0, 1]")
    found = index(make_plan(study))
    trained = [key for key, stage in found.stages.items() if stage.kind == "train"]
    assert {found.label(key) for key in trained} == {run.label for run in study.runs}
    assert {found.configuration(key) for key in trained} == {"DiT-micro-S/8", "DiT-micro-B/8"}
