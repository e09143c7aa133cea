"""A metric that is added later is measured beside the others, and nothing is made again for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from in_process import InThisProcess
from tiny_study import TINY

from harness.dispatch import earlier
from harness.dispatch.driver import Driver
from harness.dispatch.ledger import Ledger
from harness.dispatch.standing import Standing, standing
from harness.plan import Plan, make_plan
from harness.spec import load_study
from harness.stages.execute import execute
from harness.store import Store
from harness.store.pruned import prune

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*covariance is rank-deficient")]


def planned(root: Path, *overrides: str) -> Plan:
    (root / "tiny.yaml").write_text(TINY)
    small = "train.milestones=[6]"
    return make_plan(load_study(root / "tiny.yaml", None, (small, *overrides)))


def asked(names: str) -> str:
    return f"evaluations.final.metrics=[{names}]"


def state(plan: Plan, store: Store, root: Path) -> Standing:
    return standing(plan, plan.stages.values(), store, Ledger(root / "results"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's results, of which the samples and the checkpoints were pruned."""
    root = tmp_path_factory.mktemp("measured")
    store, plan = Store(root / "results"), planned(root, asked("fd, is"))
    for stage in plan.stages.values():
        execute(plan.task(stage), store)
    for stage in plan.stages.values():
        if stage.kind in ("sample", "train"):
            assert prune(store, stage.kind, stage.key)
    return root


def test_nothing_is_made_again_for_a_metric_that_kept_features_have(measured: Path) -> None:
    store, plan = Store(measured / "results"), planned(measured, asked("fd, is, precision"))
    todo = state(plan, store, measured)
    assert {s.kind for s in todo.missing} == {"evaluate", "floor", "ceiling"} and not todo.remade
    again = [s for s in todo.missing if s.kind == "evaluate"]
    assert all(list(s.after) == ["features"] for s in again)
    for stage in again:
        assert stage.inputs["samples"] not in stage.needs
        execute(plan.task(stage), store)
    assert not [s for s in state(plan, store, measured).missing if s.kind == "evaluate"]


def test_a_run_goes_on_from_an_evaluation_that_is_no_stage_of_its_study(
    measured: Path, tmp_path: Path
) -> None:
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    store, plan = Store(tmp_path / "results"), planned(tmp_path, asked("fd, precision"))
    before = store.committed(["evaluate"])
    ledger, executor = Ledger(store.root), InThisProcess(store)
    assert not before & plan.stages.keys()
    assert (
        Driver(plan, list(plan.stages.values()), store, ledger, executor, remake=False).run() == 0
    )
    assert before < store.committed(["evaluate"])


def test_a_metric_of_what_was_not_kept_wants_the_samples(measured: Path) -> None:
    """Spatial features are as large as images: what was removed is made again if that is said."""
    store, plan = Store(measured / "results"), planned(measured, asked("fd, sfd"))
    todo = state(plan, store, measured)
    assert {s.kind for s in todo.remade} == {"sample", "train"}
    assert all(list(s.after) == ["numbers"] for s in todo.missing if s.kind == "evaluate")


def test_other_settings_have_nothing_in_common(measured: Path) -> None:
    store = Store(measured / "results")
    plan = planned(measured, asked("fd, precision"), "evaluations.final.k=5")
    again: list[Any] = [s for s in plan.stages.values() if s.kind == "evaluate"]
    assert again and earlier.found(again, plan, store) == {}


def test_damage_is_passed_over(measured: Path, tmp_path: Path) -> None:
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    store, plan = Store(tmp_path / "results"), planned(tmp_path, asked("fd, precision"))
    again: list[Any] = [s for s in plan.stages.values() if s.kind == "evaluate"]
    assert len(earlier.found(again, plan, store)) == len(again)
    for key in store.committed(["evaluate"]):
        (store.folder("evaluate", key) / "manifest.json").write_text("{")
    assert earlier.found(again, plan, store) == {}
