"""The driver's laws, with an executor that only pretends to work."""

from __future__ import annotations

import errno
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from pretender import Pretender, drive

from harness.dispatch import driver as driver_module
from harness.dispatch import pool
from harness.dispatch.claims import Owner
from harness.dispatch.driver import Driver
from harness.dispatch.executor import Event
from harness.dispatch.ledger import Ledger
from harness.dispatch.study_state import study_state
from harness.errors import BadInput
from harness.plan import Plan, Stage, make_plan
from harness.spec import load_study
from harness.store import Store, files, records
from harness.store.pruned import prune, pruned_keys


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_study("studies/scaling.yaml", "smoke"))


@pytest.mark.slow
def test_every_stage_runs_once_after_its_inputs(plan: Plan, tmp_path: Path) -> None:
    code, driver, executor = drive(plan, tmp_path)
    assert code == 0
    assert sorted(executor.started) == sorted(plan.stages)
    assert executor.most == 3
    assert driver.agenda.done == set(plan.stages)
    evaluations = [s for s in plan.stages.values() if s.kind == "evaluate"]
    assert len(records.read_frames(tmp_path)["metrics"]) == len(evaluations)
    assert not list((tmp_path / "claims").iterdir())


@pytest.mark.slow
def test_the_second_time_nothing_is_started(plan: Plan, tmp_path: Path) -> None:
    drive(plan, tmp_path)
    code, _, executor = drive(plan, tmp_path)
    assert code == 0 and executor.started == []


@pytest.mark.slow
def test_a_failure_stops_only_what_needs_it(plan: Plan, tmp_path: Path) -> None:
    fail = "train DiT-micro-L/4 to 10"
    code, driver, executor = drive(plan, tmp_path, fail=fail)
    assert code == 1
    (failed,) = driver.agenda.failed.values()
    assert failed.label == fail and failed.error == "ValueError: told to"
    assert {plan.stages[k].label for k in driver.agenda.blocked} == {
        s.label
        for s in plan.stages.values()
        if "DiT-micro-L/4" in s.label and s.kind != "complexity" and s.label != fail
    }
    assert len(driver.agenda.done) == len(plan.stages) - len(driver.agenda.blocked) - 1
    # the same command again tries it once more, and goes on with what waited for it
    code, _, executor = drive(plan, tmp_path, fail=fail)
    assert code == 1 and executor.started == [failed.key]
    code, _, executor = drive(plan, tmp_path)
    assert code == 0 and len(executor.started) == 1 + len(driver.agenda.blocked)


@pytest.mark.slow
def test_a_driver_that_died_anywhere_is_continued(plan: Plan, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    store = Store(tmp_path)
    everything: list[str] = []
    generator = random.Random(1)
    for death in range(6):
        executor = Pretender(store, seed=death)
        left = generator.randint(5, 40)

        def watch(event: str, *_: object) -> None:
            nonlocal left
            left -= event == "start"
            if left < 0:
                raise Killed

        ledger = Ledger(tmp_path)
        ledger.owner = Owner(ledger.owner.host, ledger.owner.pid, f"driver {death}")
        stages = list(plan.stages.values())
        try:
            Driver(plan, stages, store, ledger, executor, watch).run()
        except Killed:
            everything += [k for k in executor.started if k not in executor.running]
        # the next driver sees this one as dead: its "born" does not match any living process
    code, driver, executor = drive(plan, tmp_path)
    assert code == 0
    everything += executor.started
    assert sorted(everything) == sorted(plan.stages)  # finished work was not repeated
    lost = [a for k in plan.stages for a in driver.ledger.attempts(k) if a.state == "lost"]
    assert lost  # and what the dead had in hand is written down as lost


@pytest.mark.slow
def test_a_damaged_artifact_is_moved_away_and_made_again(plan: Plan, tmp_path: Path) -> None:
    drive(plan, tmp_path)
    store = Store(tmp_path)
    victim = next(s for s in plan.stages.values() if s.kind == "evaluate")
    unread = next(s for s in plan.stages.values() if s.kind == "sample" and "at 10" in s.label)
    for stage in (victim, unread):
        (store.folder(stage.kind, stage.key) / "record.json").write_text("{")
    notes: list[str] = []
    executor = Pretender(store)
    driver = Driver(
        plan,
        list(plan.stages.values()),
        store,
        Ledger(tmp_path),
        executor,
        lambda event, stage, content: notes.append(content["text"]) if event == "note" else None,
    )
    assert driver.run() == 0
    assert executor.started == [victim.key]
    assert victim.label in notes[0] and "quarantine" in notes[0]
    assert len(notes) == 1 and store.folder("sample", unread.key).exists()  # nothing reads it


@pytest.mark.slow
def test_what_a_stage_found_damaged_is_made_again_and_so_is_it(plan: Plan, tmp_path: Path) -> None:
    drive(plan, tmp_path)
    store = Store(tmp_path)
    evaluate = next(s for s in plan.stages.values() if s.kind == "evaluate")
    sample = evaluate.inputs["samples"]
    shutil.rmtree(store.folder("evaluate", evaluate.key))

    class Finding(Pretender):
        def poll(self, timeout: float) -> list[Event]:
            if evaluate.key in self.running and self.started.count(evaluate.key) == 1:
                del self.running[evaluate.key]
                path = store.folder("sample", sample) / "record.json"
                path.write_text("{")
                message = f"{path} does not match its checksum"
                failure = {"failure": "bad input", "message": message}
                return [Event("failed", evaluate.key, failure)]
            return super().poll(timeout)

    executor = Finding(store)
    driver = Driver(plan, list(plan.stages.values()), store, Ledger(tmp_path), executor)
    assert driver.run() == 0
    assert executor.started == [evaluate.key, sample, evaluate.key]
    assert list((tmp_path / "quarantine").glob(f"sample-{sample}.*"))


@pytest.mark.slow
def test_what_was_removed_and_is_needed_is_made_again_only_when_that_is_said(
    plan: Plan, tmp_path: Path
) -> None:
    drive(plan, tmp_path)
    store, stages = Store(tmp_path), list(plan.stages.values())
    evaluate = next(s for s in stages if s.kind == "evaluate")
    for stage in stages:
        if stage.kind in ("train", "sample"):
            shutil.rmtree(store.folder(stage.kind, stage.key))
    code, driver, executor = drive(plan, tmp_path)  # every number is there
    assert code == 0 and not executor.started
    assert {plan.stages[k].kind for k in driver.agenda.stages}.isdisjoint({"train", "sample"})
    shutil.rmtree(store.folder("evaluate", evaluate.key))
    executor = Pretender(store)
    driver = Driver(plan, stages, store, Ledger(tmp_path), executor, remake=False)
    with pytest.raises(BadInput, match=r"^2 stages that were done and then removed[^$]*--remake"):
        driver.run()
    assert not executor.started and not list((tmp_path / "claims").glob("[!_]*"))
    driver = Driver(plan, stages, store, Ledger(tmp_path), executor, remake=True)
    assert driver.run() == 0 and len(executor.started) == 3


@pytest.mark.slow
def test_a_pruned_stage_is_made_again_when_something_needs_its_files(
    plan: Plan, tmp_path: Path
) -> None:
    drive(plan, tmp_path)
    store, stages = Store(tmp_path), list(plan.stages.values())
    evaluate = next(s for s in stages if s.kind == "evaluate")
    sample = evaluate.inputs["samples"]
    prune(store, "sample", sample)
    code, driver, executor = drive(plan, tmp_path)
    assert code == 0 and not executor.started and sample in driver.agenda.done
    shutil.rmtree(store.folder("evaluate", evaluate.key))
    code, _, executor = drive(plan, tmp_path)
    assert code == 0 and executor.started == [sample, evaluate.key]
    assert not pruned_keys(store)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["train", "sample"])
def test_files_that_were_removed_by_hand_are_made_again_only_when_that_is_said(
    kind: str, plan: Plan, tmp_path: Path
) -> None:
    """To free the disk: their manifests and rows are there, as those of pruned artifacts are."""

    class WithFiles(Pretender):
        def commit(self, task: Any) -> None:
            staging = store.staging(task.key)
            (staging / "payload.bin").write_bytes(b"large")
            store.commit(task.kind, task.key, staging, {}, {"floor": {}}, {})

    store, stages = Store(tmp_path), list(plan.stages.values())
    assert Driver(plan, stages, store, Ledger(tmp_path), WithFiles(store)).run() == 0
    evaluate = next(s for s in stages if s.kind == "evaluate")
    sample = plan.stages[evaluate.inputs["samples"]]
    emptied = {"sample": [sample], "train": [plan.stages[k] for k in sample.inputs.values()]}[kind]
    emptied = [s for s in emptied if s.kind == kind]
    for stage in emptied:
        (store.folder(kind, stage.key) / "payload.bin").unlink()
    code, driver, executor = drive(plan, tmp_path)  # every number is there
    assert code == 0 and not executor.started and emptied[0].key in driver.agenda.done
    assert not (tmp_path / "quarantine").exists()
    shutil.rmtree(store.folder("evaluate", evaluate.key))
    if kind == "train":
        shutil.rmtree(store.folder("sample", sample.key))
    executor = WithFiles(store)
    driver = Driver(plan, stages, store, Ledger(tmp_path), executor, remake=False)
    state = study_state(plan, stages, store, Ledger(tmp_path))
    assert [s.key for s in emptied] == [s.key for s in state.remade if s.kind == kind]
    with pytest.raises(BadInput, match=r"done and then removed[^$]*--remake"):
        driver.run()
    assert not executor.started and store.folder(kind, emptied[0].key).exists()
    driver = Driver(plan, stages, store, Ledger(tmp_path), executor, remake=True)
    assert driver.run() == 0 and emptied[0].key in executor.started
    assert store.open(kind, emptied[0].key) is not None


@pytest.mark.slow
def test_a_corrupt_record_is_named_and_restored(plan: Plan, tmp_path: Path) -> None:
    drive(plan, tmp_path)
    path = next((tmp_path / "records" / "metrics").glob("*.json"))
    path.write_bytes(b"PAR1 no more")
    notes: list[str] = []
    store = Store(tmp_path)
    driver = Driver(
        plan,
        list(plan.stages.values()),
        store,
        Ledger(tmp_path),
        Pretender(store),
        lambda event, stage, content: notes.append(content["text"]) if event == "note" else None,
    )
    assert driver.run() == 0
    assert path.name in notes[0]
    count = sum(s.kind == "evaluate" for s in plan.stages.values())
    assert len(records.read_frames(tmp_path)["metrics"]) == count


def test_a_selection_that_lacks_its_inputs_ends_instead_of_waiting(
    plan: Plan, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    samples = [s for s in plan.stages.values() if s.kind == "sample"]
    driver = Driver(plan, samples, store, Ledger(tmp_path), Pretender(store))
    assert driver.run() == 3


def test_standing_changes_nothing(plan: Plan, tmp_path: Path) -> None:
    root = tmp_path / "results"
    state = study_state(plan, plan.stages.values(), Store(root), Ledger(root))
    assert len(state.missing) == len(plan.stages) and not state.done
    assert not root.exists()


@pytest.mark.slow
def test_a_cancelled_stage_is_stopped_and_the_others_go_on(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LOOK_S", 0.0)
    store, ledger = Store(tmp_path), Ledger(tmp_path)
    victim = next(s for s in plan.stages.values() if s.kind == "train")

    told: set[str] = set()

    class Cancellable(Pretender):
        def poll(self, timeout: float) -> list[Event]:
            others = {k: t for k, t in self.running.items() if k != victim.key}
            held = {k: t for k, t in self.running.items() if k == victim.key}
            self.running = others
            events = super().poll(timeout)
            self.running |= held
            return events + [Event("stopped", k, {"message": "saved"}) for k in told]

        def cancel(self, keys: list[str]) -> None:
            told.update(keys)

    def watch(event: str, stage: Stage | None, content: object) -> None:
        if event == "start" and stage is victim:  # as `harness cancel` does
            last = ledger.last(victim.key)
            assert last is not None
            ledger.end(last, "stopped", "stopped", "cancelled")

    executor = Cancellable(store)
    driver = Driver(plan, list(plan.stages.values()), store, Ledger(tmp_path), executor, watch)
    assert driver.run() == 3
    behind = {victim.key}
    for key, stage in plan.stages.items():
        if stage.needs & behind:
            behind.add(key)
    assert driver.agenda.done == plan.stages.keys() - behind
    assert not driver.agenda.failed


@pytest.mark.slow
def test_a_full_disk_stops_the_driver_and_leaves_nothing_claimed(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    executor = Pretender(store)
    driver = Driver(plan, list(plan.stages.values()), store, Ledger(tmp_path), executor)
    written = 0

    def step(operation: str, path: Path) -> None:
        nonlocal written
        if "attempts" in path.parts and operation == "write":
            written += 1
            if written == 10:
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "step", step)
    with pytest.raises(files.DiskFull, match="run the same command again"):
        driver.run()
    assert not list((tmp_path / "claims").iterdir())
    code, driver, _ = drive(plan, tmp_path)
    assert code == 0
    left = [a for k in plan.stages for a in driver.ledger.attempts(k) if a.state == "running"]
    assert all(a.key in driver.agenda.done for a in left)


@pytest.mark.slow
def test_progress_is_shown_with_the_time_left_and_told_to_others(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    clock = iter(range(0, 100000, 10))
    monkeypatch.setattr(driver_module.time, "time", lambda: float(next(clock)))
    monkeypatch.setattr(pool, "TELL_S", -1.0)
    train = next(s for s in plan.stages.values() if s.kind == "train")
    shown: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []

    class Slow(Pretender):
        steps = 0

        def poll(self, timeout: float) -> list[Event]:
            if train.key in self.running and self.steps < 4:
                self.steps += 1
                told.append(Ledger(tmp_path).told())
                content = {"done": 10 * self.steps, "total": 100, "unit": "steps"}
                return [Event("progress", train.key, content)]
            return super().poll(timeout)

    def watch(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "progress":
            shown.append(content)

    driver = Driver(plan, list(plan.stages.values()), store, Ledger(tmp_path), Slow(store), watch)
    assert driver.run() == 0
    assert "left_s" not in shown[0]
    assert shown[1]["left_s"] == pytest.approx(80)  # 10 steps took 10 s, 80 are left
    assert told[-1][train.key]["done"] == 30 and told[-1][train.key]["left_s"] > 0
    assert Ledger(tmp_path).told() == {}


def test_what_a_killed_stage_used_is_known_from_its_last_progress(
    plan: Plan, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    stage = next(s for s in plan.stages.values() if s.kind == "complexity")
    shown: list[dict[str, Any]] = []

    class Killed(Pretender):
        said = 0

        def poll(self, timeout: float) -> list[Event]:
            self.said += 1
            used = {"devices": 1, "joules": 10.0 * self.said}
            if self.said < 3:
                return [Event("progress", stage.key, {"done": self.said, "used": used})]
            if self.said == 3:
                self.running.clear()
                return [Event("failed", stage.key, {"failure": "killed", "message": "by SIGKILL"})]
            if self.running:
                self.commit(self.running.pop(stage.key))
                return [Event("done", stage.key, {"ours": True, "used": {**used, "joules": None}})]
            return []

    def watch(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "progress":
            shown.append(content)

    assert Driver(plan, [stage], store, Ledger(tmp_path), Killed(store), watch).run() == 0
    assert shown == [{"done": 1}, {"done": 2}]
    found = [(a.state, a.devices, a.joules) for a in Ledger(tmp_path).attempts(stage.key)]
    assert found == [("again", 1, 20.0), ("done", 1, None)]
