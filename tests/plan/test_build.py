"""A study's runs become stages, each once, in the order in which they can be done."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from planned import plan_of, study_of
from tiny_study import TINY

from harness.errors import BadInput
from harness.plan import make_plan
from harness.plan.build import Imported

MILESTONES = "train.milestones=[6]"


def test_every_stage_comes_behind_what_it_needs(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    seen: set[str] = set()
    for key, stage in plan.stages.items():
        assert stage.key == key and stage.needs <= seen, stage.label
        seen.add(key)


def test_what_runs_share_is_planned_once(tmp_path: Path) -> None:
    kinds = Counter(stage.kind for stage in plan_of(tmp_path).stages.values())
    assert kinds["encode"] == kinds["reference"] == 1
    assert kinds["complexity"] == 2 and kinds["train"] == kinds["sample"] == 4
    seeds = Counter(
        stage.kind for stage in plan_of(tmp_path, "matrix.axes.seed=[0, 1, 2]").stages.values()
    )
    assert seeds["complexity"] == 2 and seeds["train"] == 12


def test_training_is_a_chain_by_milestones_whose_ends_do_not_know_the_path(tmp_path: Path) -> None:
    whole = plan_of(tmp_path)
    trained = [s for s in whole.stages.values() if s.kind == "train"]
    steps = [json.loads(s.settings)["step"] for s in trained]
    assert steps == [3, 6, 3, 6]
    assert trained[1].after["previous"] == trained[0].key
    assert "previous" not in trained[0].after
    at_once = plan_of(tmp_path, MILESTONES)
    assert {s.key for s in at_once.stages.values() if s.kind == "train"} == {
        trained[1].key,
        trained[3].key,
    }


def test_a_stage_costs_what_it_adds(tmp_path: Path) -> None:
    chain = [s for s in plan_of(tmp_path).stages.values() if s.kind == "train"][:2]
    (whole, *_) = [s for s in plan_of(tmp_path, MILESTONES).stages.values() if s.kind == "train"]
    assert whole.gflops == pytest.approx(sum(s.gflops or 0 for s in chain))


def test_a_checkpoint_that_was_not_imported_is_refused_with_what_to_do(tmp_path: Path) -> None:
    text = TINY.replace("model: {family: DiT-micro}", "model: {checkpoint: theirs}")
    text = text[: text.index("matrix:")] + text[text.index("dispatch:") :]
    text = text.replace("at: milestones", "at: end")
    study = study_of(tmp_path, text=text)
    with pytest.raises(BadInput, match=r"'theirs' was not imported .*import FILE --name theirs"):
        make_plan(study)
    architecture = {
        "depth": 1, "width": 16, "heads": 2, "patch_size": 4, "block": "adaln-zero",
        "input_size": 32, "channels": 4, "num_classes": 10, "learn_sigma": True,
    }  # fmt: skip
    theirs = Imported("theirs", "e" * 64, architecture, '{"autoencoder":"identity"}', 100)
    with pytest.raises(BadInput, match=r"4x32x32 inputs; .*1x8x8"):
        make_plan(study, {"theirs": theirs})


def test_planning_is_pure(tmp_path: Path) -> None:
    one, other = plan_of(tmp_path), plan_of(tmp_path)
    said = [
        [(s.kind, s.key, s.settings, s.inputs, s.after) for s in plan.stages.values()]
        for plan in (one, other)
    ]
    assert said[0] == said[1] and one.measurements == other.measurements
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.yaml"]


@pytest.mark.parametrize("study", ["scaling", None, 5])
def test_what_is_no_study_is_told(study: object) -> None:
    with pytest.raises(BadInput, match=r"give a Study, as harness.load_study returns it"):
        make_plan(study)  # type: ignore[arg-type]
