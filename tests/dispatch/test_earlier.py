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
from harness.dispatch.study_state import StudyState, study_state
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


def state(plan: Plan, store: Store, root: Path) -> StudyState:
    return study_state(plan, plan.stages.values(), store, Ledger(root / "results"))


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


def test_nothing_is_made_again_for_a_metric_that_kept_features_have(
    measured: Path, tmp_path: Path
) -> None:
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    store, plan = Store(tmp_path / "results"), planned(tmp_path, asked("fd, is, precision"))
    todo = state(plan, store, tmp_path)
    assert {s.kind for s in todo.missing} == {"evaluate", "floor", "ceiling"} and not todo.remade
    again = [s for s in todo.missing if s.kind == "evaluate"]
    assert all(list(s.after) == ["features"] for s in again)
    for stage in again:
        assert stage.inputs["samples"] not in stage.needs
        execute(plan.task(stage), store)
    assert not [s for s in state(plan, store, tmp_path).missing if s.kind == "evaluate"]


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


def test_of_several_one_whose_features_serve_is_taken_and_then_the_one_with_most_metrics(
    measured: Path, tmp_path: Path
) -> None:
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    store = Store(tmp_path / "results")
    few = store.committed(["evaluate"])
    plan = planned(tmp_path, asked("fd, is, precision"))
    for stage in state(plan, store, tmp_path).missing:
        if stage.kind == "evaluate":
            execute(plan.task(stage), store)
    most = store.committed(["evaluate"]) - few
    more = planned(tmp_path, asked("fd, is, precision, recall"))
    again: list[Any] = [s for s in more.stages.values() if s.kind == "evaluate"]

    def taken() -> tuple[set[str], set[str]]:
        found = earlier.found(again, more, store)
        assert found.keys() == {s.key for s in again}
        return {role for role, _ in found.values()}, {key for _, key in found.values()}

    assert taken() == ({"features"}, most)
    for key in most:
        features(store, key).unlink(missing_ok=True)
    assert taken() == ({"features"}, few)
    for key in few:
        features(store, key).unlink()
    assert taken() == ({"numbers"}, most)


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


def features(store: Store, key: str) -> Path:
    return store.folder("evaluate", key) / "features.npz"


@pytest.mark.parametrize("how", ["truncated", "removed", "replaced by a folder"])
def test_features_that_are_damaged_take_no_number_with_them(
    measured: Path, tmp_path: Path, how: str
) -> None:
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    store, plan = Store(tmp_path / "results"), planned(tmp_path, asked("fd, is"))
    (key,) = (s.key for s in plan.stages.values() if s.kind == "evaluate" and "S/8" in s.label)
    path = features(store, key)
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.unlink()
    if how == "replaced by a folder":
        path.mkdir()
    assert not state(plan, store, tmp_path).missing
    executor = InThisProcess(store)
    driver = Driver(plan, list(plan.stages.values()), store, Ledger(store.root), executor)
    assert driver.run() == 0 and not driver.agenda.failed
    assert not list(store.root.glob("quarantine/*")) and store.open("evaluate", key) is not None
    # One more metric is measured of the samples again, which have to be drawn again for it.
    more = planned(tmp_path, asked("fd, is, precision"))
    todo = state(more, store, tmp_path)
    assert {s.kind for s in todo.remade} == {"sample", "train"}
    (again,) = (s for s in todo.missing if s.kind == "evaluate" and "S/8" in s.label)
    assert list(again.after) == ["numbers"]


def test_features_whose_checksum_is_wrong_are_set_aside_when_they_are_read(
    measured: Path, tmp_path: Path
) -> None:
    """The rest of the run goes on, and the number that they were kept beside stays."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    store, plan = Store(tmp_path / "results"), planned(tmp_path, asked("fd, is, precision"))
    committed = store.committed(["evaluate"])
    path = features(store, min(committed))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)

    def drive(remake: bool) -> Driver:
        executor = InThisProcess(store)
        driver = Driver(
            plan, list(plan.stages.values()), store, Ledger(store.root), executor, remake=remake
        )
        driver.run()
        return driver

    ended = drive(remake=False)
    (failed,) = ended.agenda.failed.values()
    assert failed.failure == "bad input" and "--remake" in (failed.error or "")
    assert len(store.committed(["evaluate"])) == 2 * len(committed) - 1
    (aside,) = store.root.glob("quarantine/*")
    assert aside.name.endswith("features.npz") and store.open("evaluate", min(committed))
    assert not drive(remake=True).agenda.failed
    assert len(store.committed(["evaluate"])) == 2 * len(committed)
