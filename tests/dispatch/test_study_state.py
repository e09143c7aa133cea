"""What is done and to do, from what lies in a results folder; and how far what began has come."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pretender import drive

from harness.dispatch import progress
from harness.dispatch.ledger import Ledger
from harness.dispatch.study_state import StudyState, checkpoints, quarantined, removed, study_state
from harness.plan import Plan, keys, make_plan
from harness.plan.wanted import Work, trajectory
from harness.spec import load_study
from harness.store import Store


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_study("studies/scaling.yaml", "smoke"))


@pytest.mark.slow
def test_committed_checkpoints_of_any_study_are_found_with_their_run_and_step(
    plan: Plan, tmp_path: Path
) -> None:
    drive(plan, tmp_path)
    store = Store(tmp_path)
    train = [s for s in plan.stages.values() if s.kind == "train"]
    found = {c.key: (c.run, c.step) for c in checkpoints(plan, store)}
    assert found == {s.key: trajectory(s) for s in train}
    other = make_plan(load_study("studies/scaling.yaml", "smoke", ("study=other", "seed=3")))
    for stage in train:  # as another study sees them: by their manifests
        path = store.folder("train", stage.key) / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest |= {"settings": json.loads(stage.settings), "inputs": stage.inputs}
        manifest.pop("sha256", None)
        path.write_text(json.dumps(manifest))
    (store.folder("train", train[0].key) / "manifest.json").write_text("{")
    found = {c.key: (c.run, c.step) for c in checkpoints(other, store)}
    assert found == {s.key: trajectory(s) for s in train[1:]}


@pytest.mark.slow
def test_what_was_moved_to_quarantine_is_no_removal(plan: Plan, tmp_path: Path) -> None:
    drive(plan, tmp_path)
    store = Store(tmp_path)
    evaluate = next(s for s in plan.stages.values() if s.kind == "evaluate")
    sample = evaluate.inputs["samples"]
    shutil.rmtree(store.folder("evaluate", evaluate.key))
    store.quarantine("sample", sample)
    assert quarantined(store) == {sample}
    state = study_state(plan, plan.stages.values(), store, Ledger(tmp_path))
    assert [s.key for s in state.missing] == [sample, evaluate.key]
    assert not state.remade


def test_the_refusal_names_what_it_is_about(plan: Plan) -> None:
    stages = list(plan.stages.values())
    said = removed(StudyState(set(), stages[:1], {}, work=Work(set(), remade=stages[:1])))
    assert said.startswith("1 stage that was done and then removed") and stages[0].label in said
    said = removed(StudyState(set(), stages[:12], {}, work=Work(set(), remade=stages[:12])))
    assert said.startswith("12 stages") and "and 2 more" in said and "--remake" in said


def test_the_refusal_says_whether_a_measurement_wants_it_or_it_is_wanted_for_itself(
    plan: Plan,
) -> None:
    evaluate = next(s for s in plan.stages.values() if s.kind == "evaluate")
    sample = plan.stages[evaluate.inputs["samples"]]
    work = Work(set(), remade=[sample])
    said = removed(StudyState(set(), [sample, evaluate], {}, work=work))
    assert "because something that is to be measured needs it" in said
    said = removed(StudyState(set(), [sample], {}, work=work))
    assert "because it is asked for" in said and "measured" not in said
    said = removed(StudyState(set(), [sample], {}, work=work), remake=True)
    assert "would be done again" in said and "--remake" not in said and "Nothing" not in said


def test_the_refusal_says_what_begins_at_an_earlier_step(plan: Plan) -> None:
    train = [s for s in plan.stages.values() if s.kind == "train"]
    work = Work(set(), restarted=train[:1])
    said = removed(StudyState(set(), train[:1], {}, work=work))
    assert said.startswith("1 training would have to be begun at an earlier step, because state.sa")
    assert train[0].label in said and "--remake" in said and "done again" not in said


@pytest.mark.slow
def test_a_checkpoint_whose_state_was_removed_stays_done_and_is_not_gone_on_from(
    plan: Plan, tmp_path: Path
) -> None:
    """Its weights are there: what samples from it needs nothing else."""
    drive(plan, tmp_path)
    store = Store(tmp_path)
    train = next(s for s in plan.stages.values() if s.kind == "train")
    folder = store.folder("train", train.key)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["state.safetensors"] = {"bytes": 1, "sha256": "0" * 64}
    manifest |= {"settings": json.loads(train.settings), "inputs": dict(train.inputs)}
    manifest.pop("sha256", None)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    again = next(s for s in plan.stages.values() if train.key in s.inputs.values())
    for stage in (again, *(s for s in plan.stages.values() if again.key in s.inputs.values())):
        shutil.rmtree(store.folder(stage.kind, stage.key))
    (store.root / "quarantine").mkdir()  # as if the samples had been damaged: no removal
    (store.root / "quarantine" / f"{again.kind}-{again.key}.0123abcd").mkdir()
    state = study_state(plan, plan.stages.values(), store, Ledger(tmp_path))
    assert again.key in {s.key for s in state.missing} and not state.asks
    assert store.open("train", train.key) is not None  # no damage either
    steps = trajectory(train)[1]
    longer = make_plan(
        load_study(
            "studies/scaling.yaml",
            "smoke",
            (f"train.steps={steps * 10}", f"train.milestones=[{steps * 10}]"),
        )
    )
    state = study_state(longer, longer.stages.values(), store, Ledger(tmp_path))
    assert [s.key for s in state.asks] == [s.key for s in state.work.restarted]
    restarted = {keys.trajectory(s.settings, s.inputs)[0] for s in state.work.restarted}
    assert restarted == {trajectory(train)[0]}


def test_a_saved_checkpoint_counts_as_the_part_of_its_stage_that_it_is(
    plan: Plan, tmp_path: Path
) -> None:
    first, second = [s for s in plan.stages.values() if s.kind == "train"][:2]
    store = Store(tmp_path)
    assert progress.saved(store, [first, second]) == {}
    steps = trajectory(first)[1]
    (store.scratch(first.key) / f"step-{steps // 2:09d}").mkdir()
    (store.scratch(first.key) / "step-broken").mkdir()
    store.scratch(second.key)  # it has left nothing
    found = progress.saved(store, [first, second])
    assert found == {} or found == {first.key: 0.5}
