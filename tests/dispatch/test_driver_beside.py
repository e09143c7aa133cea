"""Two drivers on one study, and a driver beside SLURM: the work is done once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pretender import Pretender

from harness.dispatch import driver as driver_module
from harness.dispatch import pool
from harness.dispatch.claims import Owner
from harness.dispatch.driver import Driver
from harness.dispatch.ledger import Attempt, Ledger
from harness.plan import Plan, make_plan
from harness.spec import load_study
from harness.store import Store


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_study("studies/scaling.yaml", "smoke"))


@pytest.mark.slow
def test_what_another_driver_holds_is_waited_for_not_repeated(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path)
    encode = next(s for s in plan.stages.values() if s.kind == "encode")
    other = Ledger(tmp_path)
    other.owner = Owner("elsewhere", 1, "1")  # alive as far as anyone here can tell
    assert other.claim(encode.key)
    executor = Pretender(store)
    ticks = 0

    def watch(event: str, *_: object) -> None:
        nonlocal ticks
        ticks += event == "tick"
        if ticks == 3:  # the other driver finishes
            executor.commit(plan.task(encode))
            other.release(encode.key)

    driver = Driver(plan, list(plan.stages.values()), store, Ledger(tmp_path), executor, watch)
    assert driver.run() == 0
    assert encode.key not in executor.started
    assert len(executor.started) == len(plan.stages) - 1


@pytest.mark.slow
def test_local_workers_leave_alone_what_was_given_to_slurm_beside_them(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run submits two trainings after this one began: they would share their scratch."""
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    squeue.write_text("#!/bin/sh\necho 'harness-train-x|7|0|RUNNING|1:00|0:10|None'\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(driver_module, "LOOK_S", 0.0)
    monkeypatch.setattr(pool, "ASK_S", 0.0)
    store, other = Store(tmp_path), Ledger(tmp_path)
    living, dead = [s for s in plan.stages.values() if s.label.endswith("to 10")][:2]
    executor = Pretender(store, places=1)
    given: list[Attempt] = []
    ticks = 0

    def watch(event: str, *_: object) -> None:
        nonlocal ticks
        ticks += event == "tick"
        if not given:
            given.extend(
                other.begin(s.key, s.kind, s.label, "harness-train-x", index)
                for index, s in enumerate((living, dead))  # SLURM knows the first one only
            )
        if ticks == 400:
            executor.commit(plan.task(living))

    driver = Driver(plan, list(plan.stages.values()), store, Ledger(tmp_path), executor, watch)
    assert driver.run() == 0
    assert living.key not in executor.started
    assert dead.key in executor.started and other.read(given[1]).state == "lost"


def beside_another(plan: Plan, root: Path) -> tuple[Driver, Ledger]:
    """A driver of a study whose stages another one all claims, and that one's ledger."""
    store, other = Store(root), Ledger(root)
    other.owner = Owner("elsewhere", 1, "1")
    for key in plan.stages:
        assert other.claim(key)
    stages = list(plan.stages.values())
    return Driver(plan, stages, store, Ledger(root), Pretender(store)), other


def test_ctrl_c_does_not_wait_for_another_drivers_stages(plan: Plan, tmp_path: Path) -> None:
    driver, _other = beside_another(plan, tmp_path)
    ticks = 0

    def watch(event: str, *_: object) -> None:
        nonlocal ticks
        ticks += event == "tick"
        if ticks == 2:
            driver.stop()
        assert ticks < 5, "it goes on waiting"

    driver.watch = watch
    assert driver.run() == 3


def test_a_second_driver_watches_many_stages_of_another_at_little_cost(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, other = beside_another(plan, tmp_path)
    driver.begin()
    for stage in list(driver.agenda.stages.values()):
        driver.take(stage)
    assert len(driver.agenda.elsewhere) == len(plan.stages)
    listings = 0
    real = Ledger.tried

    def tried(self: Ledger) -> set[str]:
        nonlocal listings
        listings += 1
        return real(self)

    monkeypatch.setattr(Ledger, "tried", tried)
    driver.look_elsewhere()
    assert len(driver.agenda.elsewhere) == len(plan.stages)
    train = next(s for s in plan.stages.values() if s.kind == "train")
    failed = other.begin(train.key, "train", train.label)
    other.end(failed, "failed", "error", "boom")
    for key in plan.stages:  # the other gives all up at once
        other.release(key)
    driver.look_elsewhere()
    assert listings == 0  # each would list all stages that were ever tried
    assert not driver.agenda.elsewhere and set(driver.agenda.failed) == {train.key}
    assert driver.agenda.waiting.keys() == plan.stages.keys() - driver.agenda.blocked - {train.key}
