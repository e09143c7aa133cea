"""What a run on this machine does about failures: within it, and the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pretender import Pretender
from tiny_study import TINY

from harness.dispatch import driver as driver_module
from harness.dispatch.driver import Driver
from harness.dispatch.executor import Event
from harness.dispatch.failures import POLICIES
from harness.dispatch.ledger import Ledger
from harness.plan import Plan, Stage, make_plan
from harness.plan.stages import Task
from harness.spec import load_study
from harness.store import Store

PASSING = ("killed", "out of memory", "preempted", "environment", "lost")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    path = tmp_path_factory.mktemp("pool") / "tiny.yaml"
    path.write_text(TINY)
    return make_plan(load_study(path))


class Clock:
    """Each look at it takes a second."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self) -> float:
        self.seconds += 1
        return self.seconds

    monotonic = time


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(driver_module, "time", clock)
    return clock


class Failing(Pretender):
    """Fails one stage with the failures it is given, one after another, then lets it be done."""

    def __init__(self, store: Store, victim: str, *failures: str) -> None:
        super().__init__(store)
        self.victim, self.failures = victim, list(failures)
        self.beside: list[int] = []  # how many others ran when the victim was started, and later

    def start(self, task: Task, attempt: Any) -> None:
        super().start(task, attempt)
        if self.victim in self.running and self.started.count(self.victim) > 1:
            self.beside.append(len(self.running) - 1)

    def poll(self, timeout: float) -> list[Event]:
        if self.victim in self.running and self.failures:
            del self.running[self.victim]
            content = {"failure": self.failures.pop(0), "message": "as told"}
            return [Event("failed", self.victim, content)]
        return super().poll(timeout)


def train(plan: Plan) -> Stage:
    return next(s for s in plan.stages.values() if s.kind == "train")


def run(
    plan: Plan, root: Path, *failures: str, notes: list[str] | None = None
) -> tuple[int, Driver, Failing]:
    store = Store(root)
    executor = Failing(store, train(plan).key, *failures)

    def watch(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "note" and notes is not None:
            notes.append(content["text"])

    driver = Driver(plan, plan.stages.values(), store, Ledger(root), executor, watch)
    return driver.run(), driver, executor


@pytest.mark.slow
@pytest.mark.parametrize("failure", PASSING)
def test_what_passes_is_tried_again_up_to_its_limit_within_a_run(
    plan: Plan, tmp_path: Path, failure: str
) -> None:
    limit = min(POLICIES[failure].retries, 3)
    code, _, executor = run(plan, tmp_path, *[failure] * limit)
    assert code == 0 and executor.started.count(executor.victim) == 1 + limit
    states = [a.state for a in Ledger(tmp_path).attempts(executor.victim)]
    assert states == ["again"] * limit + ["done"]


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["killed", "environment", "out of memory"])
def test_beyond_its_limit_it_has_failed_and_the_next_run_tries_it_once_more(
    plan: Plan, tmp_path: Path, failure: str
) -> None:
    limit = POLICIES[failure].retries
    code, driver, executor = run(plan, tmp_path, *[failure] * (limit + 1))
    assert code == 1 and set(driver.agenda.failed) == {executor.victim}
    notes: list[str] = []
    code, _, executor = run(plan, tmp_path, failure, notes=notes)  # its limit begins anew
    assert code == 0 and executor.started.count(executor.victim) == 2
    assert any("1 stage failed before (the last on " in note for note in notes)


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["error", "bad input"])
def test_an_error_is_told_at_once_and_the_next_run_tries_it_once(
    plan: Plan, tmp_path: Path, failure: str
) -> None:
    for _ in range(2):
        code, _, executor = run(plan, tmp_path, failure)
        assert code == 1 and executor.started.count(executor.victim) == 1
    code, _, executor = run(plan, tmp_path)
    assert code == 0 and executor.started.count(executor.victim) == 1


@pytest.mark.slow
def test_out_of_memory_is_tried_again_with_nothing_beside_it(plan: Plan, tmp_path: Path) -> None:
    code, _, executor = run(plan, tmp_path, "out of memory", "out of memory")
    assert code == 0
    assert executor.beside == [0, 0]
    assert executor.most > 1  # the others were not held up before


def test_the_pause_grows(plan: Plan, tmp_path: Path) -> None:
    waits: list[float] = []
    store = Store(tmp_path)

    def watch(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "again":
            waits.append(content["wait_s"])

    executor = Failing(store, train(plan).key, "killed", "killed", "killed")
    Driver(plan, plan.stages.values(), store, Ledger(tmp_path), executor, watch).run()
    assert waits == [1, 2, 4]


@pytest.mark.slow
def test_two_drivers_that_start_together_count_one_try(plan: Plan, tmp_path: Path) -> None:
    run(plan, tmp_path, "error")
    store = Store(tmp_path)
    stages = plan.stages.values()
    first = Driver(plan, stages, store, Ledger(tmp_path), Failing(store, train(plan).key, "error"))
    second_executor = Failing(store, train(plan).key)
    second = Driver(plan, stages, store, Ledger(tmp_path), second_executor)
    second.begin()  # both have seen the old failure
    first.begin()
    assert train(plan).key in first.agenda.waiting and train(plan).key in second.agenda.waiting
    first.policy.start_ready()
    while first.agenda.running:
        for event in first.executor.poll(0):
            first.happened(event)
    first.leave()
    assert not second.take(train(plan))
    assert set(second.agenda.failed) == {train(plan).key} and second_executor.started == []
