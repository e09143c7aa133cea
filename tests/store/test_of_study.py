"""A study's rows of training keep their beginning, whichever stage trained it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from harness.plan import make_plan
from harness.plan.index import index
from harness.plan.wanted import trajectory
from harness.spec import load_study
from harness.store.of_study import of_study

STEPS = "train.steps=100", "train.milestones=[100]", "evaluations.final.at=[100]"


def rows(key: str, run: str, *steps: int) -> list[dict[str, object]]:
    return [{"key": key, "run": run, "step": s, "loss": 1 / s, "gflops": 1.0} for s in steps]


@pytest.mark.parametrize("from_scratch", [False, True])
def test_a_training_that_was_made_longer_has_its_whole_curve_once(from_scratch: bool) -> None:
    short = make_plan(load_study("studies/scaling.yaml", "smoke"))
    long = make_plan(load_study("studies/scaling.yaml", "smoke", STEPS))
    old = next(s for s in short.stages.values() if s.kind == "train")
    run, step = trajectory(old)
    new = next(s for s in long.stages.values() if s.kind == "train" and trajectory(s) == (run, 100))
    assert old.key not in long.stages
    own = rows(new.key, run, *([5, 10, 50, 100] if from_scratch else [50, 100]))
    others = [*rows(old.key, run, 5, step), *rows("e" * 64, "another run", 5)]
    frame = pd.DataFrame([*own, *others]).astype({"key": "string", "run": "string"})
    found = of_study({"training": frame}, index(long))["training"]
    assert sorted(found["step"]) == ([5, 10, 50, 100] if from_scratch else [5, step, 50, 100])
    assert found["label"].nunique() == 1 and found["label"].notna().all()
    assert set(found["key"]) == ({new.key} if from_scratch else {new.key, old.key})
    assert "_named_by" not in found


def test_one_checkpoint_under_two_names_has_a_row_for_each() -> None:
    """Two names of an imported checkpoint are two models of the study, with the same numbers."""
    whole = index(make_plan(load_study("studies/scaling.yaml", "smoke")))
    key = next(k for k, s in whole.stages.items() if s.kind == "evaluate")
    train = next(k for k, s in whole.stages.items() if s.kind == "train")
    other = next(k for k, s in whole.stages.items() if s.kind == "evaluate" and k != key)
    first, second, *rest = whole.runs
    runs = (
        replace(first, model="theirs", label="theirs", axes={"model.checkpoint": "theirs"}),
        replace(second, model="again", label="again", axes={"model.checkpoint": "again"}),
        *rest,
    )
    stages = {k: replace(s, runs=(0, 1)) for k, s in whole.stages.items() if k in (key, train)}
    study = replace(whole, runs=runs, stages={**whole.stages, **stages})
    frame = pd.DataFrame(
        [
            {"key": k, "checkpoint_key": train, "metric": "fid", "of": "samples", "value": v}
            | {"model": "recorded", "size": None, "family": "imported", "seed": None, "gflops": 1.0}
            for k, v in ((key, 5.0), (other, 6.0))
        ]
    ).astype({"key": "string", "checkpoint_key": "string", "seed": "Int64", "model": "string"})
    found = of_study({"metrics": frame}, study)["metrics"]
    two = found[found["key"] == key]
    assert sorted(two["label"]) == sorted(two["model"]) == ["again", "theirs"]
    assert list(two["value"]) == [5.0, 5.0] and set(two["checkpoint_key"]) == {train}
    assert sorted(two["model.checkpoint"]) == ["again", "theirs"]
    assert len(found) == 3 and not [c for c in found if c.startswith("_")]
