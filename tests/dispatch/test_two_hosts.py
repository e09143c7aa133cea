"""Two drivers on two machines with one network disk: the work is done once, by one of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from hosts import SharedDisk
from pretender import Pretender
from tiny_study import TINY

from harness.dispatch import driver as driver_module
from harness.dispatch.driver import Driver
from harness.dispatch.executor import Event
from harness.dispatch.ledger import Attempt, Ledger
from harness.errors import HarnessError
from harness.plan import Plan, make_plan
from harness.plan.stages import Task
from harness.results import load_results
from harness.spec import load_study
from harness.store import Store


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    file = tmp_path_factory.mktemp("study") / "tiny.yaml"
    file.write_text(TINY)
    return make_plan(load_study(file))


class Watched(Ledger):
    """Claims, with who has them by what was answered: nobody may get what a living one has."""

    having: dict[str, str]
    taken: list[str]
    lock = threading.Lock()

    def claim(self, key: str) -> bool:
        got = super().claim(key)
        with self.lock:
            if got and self.having.setdefault(key, self.owner.host) != self.owner.host:
                self.taken.append(f"{key[:8]}: {self.owner.host} from {self.having[key]}")
        return got

    def release(self, key: str) -> None:
        with self.lock:
            if self.having.get(key) == self.owner.host:
                del self.having[key]
        super().release(key)


class Working(Pretender):
    """Says when it is told to do again what is done."""

    again: list[str]

    def start(self, task: Task, attempt: Attempt, alone: bool = False) -> None:
        self.running[task.key] = task
        self.started.append(task.key)
        if task.key in self.real(f"{self.store.root}/artifacts/{task.kind}"):
            self.again.append(task.label)

    def real(self, folder: str) -> list[str]:
        try:
            return self.disk.listdir(folder)
        except FileNotFoundError:
            return []

    def poll(self, timeout: float) -> list[Event]:
        time.sleep(0.001)
        if not self.running:
            return []
        key = self.random.choice(sorted(self.running))
        try:
            self.commit(self.running.pop(key))
        except HarnessError as error:
            return [Event("failed", key, {"failure": "environment", "message": str(error)})]
        return [Event("done", key, {"ours": True})]

    disk: SharedDisk


def host(name: str, ahead_s: float, seed: int, disk: SharedDisk, plan: Plan, told: Told) -> None:
    """Whoever sits before it runs it again until it is done, in the face of a bad disk."""
    root = Path(disk.root)
    try:
        for process in range(1, 1000):
            disk.machine.be(name, process, ahead_s, seed + 100 * process)
            executor = Working(Store(root), places=2, seed=seed)
            executor.again, executor.disk = told.again, disk
            ledger = Watched(root)
            ledger.having, ledger.taken = told.having, told.taken
            try:
                code = Driver(plan, list(plan.stages.values()), Store(root), ledger, executor).run()
            except HarnessError as error:
                told.said.append(f"{name}: {type(error).__name__}: {error}")
                code = 1
            finally:
                told.started.update(executor.started)
            with ledger.lock:  # first: the other one may take them as soon as they are old
                for key in [k for k, owner in told.having.items() if owner == name]:
                    del told.having[key]
            disk.died(name)
            if code == 0:
                told.ended.append(name)
                return
    except BaseException as error:  # a thread's error is the test's
        told.errors.append(error)


class Told:
    """What the two machines did."""

    def __init__(self) -> None:
        self.having: dict[str, str] = {}
        self.taken: list[str] = []
        self.again: list[str] = []
        self.ended: list[str] = []
        self.errors: list[BaseException] = []
        self.said: list[str] = []
        self.started: Counter[str] = Counter()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "errors"),
    [(1, 0.0), (2, 0.01), (3, 0.03)]
    + [pytest.param(s, (s % 5) / 100, marks=pytest.mark.full) for s in range(4, 44)]
    + [pytest.param(s, 0.07, marks=pytest.mark.full) for s in (20063, 20064)],
)
def test_two_machines_on_a_network_disk_do_the_work_once(
    seed: int, errors: float, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "LOOK_S", 0.0)
    monkeypatch.setattr(driver_module, "LOST_WAIT_S", 0.0)
    monkeypatch.setattr("harness.dispatch.pool.PACE", 0.0)
    disk, told = SharedDisk(tmp_path / "results", errors), Told()
    with disk.mounted():
        machines = [
            threading.Thread(target=host, args=(name, ahead, seed + i, disk, plan, told))
            for i, (name, ahead) in enumerate([("one", 3600.0), ("two", -1800.0)])
        ]
        for machine in machines:
            machine.start()
        for machine in machines:
            machine.join(60)
            assert not machine.is_alive(), f"it hangs: {told.said}"
    if told.errors:
        raise told.errors[0]
    assert disk.happened["old"] > 0 and (not errors or sum(disk.happened.values()) > 5)
    assert not told.taken, "a claim was taken from the living"
    assert not told.again, "work that was done was begun again"
    assert sorted(told.ended) == ["one", "two"]
    if not errors:
        assert not told.said
        assert set(told.started.values()) == {1}
    store = Store(disk.root)
    for stage in plan.stages.values():
        assert store.open(stage.kind, stage.key) is not None
    metrics = load_results(disk.root)["metrics"]
    assert sorted(metrics["key"]) == sorted(
        s.key for s in plan.stages.values() if s.kind == "evaluate"
    )
