"""Local workers: how many, with what threads and which GPU; what their deaths are called."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from harness.dispatch import local
from harness.dispatch.ledger import Ledger
from harness.dispatch.local import LocalWorkers, layout
from harness.plan.stages import Place, Task
from harness.spec.schema import DispatchSettings


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(local, "cores", lambda: 6)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return monkeypatch


def test_a_cpu_machine_gets_one_worker_per_core_with_one_thread(
    machine: pytest.MonkeyPatch,
) -> None:
    found = layout(DispatchSettings(device="cpu"))
    assert [env["OMP_NUM_THREADS"] for env in found] == ["1"] * 6
    assert all("CUDA_VISIBLE_DEVICES" not in env for env in found)
    assert len(layout(DispatchSettings(device="cpu", threads=3))) == 2
    assert len(layout(DispatchSettings(device="cpu", workers=4))) == 4


def test_a_gpu_machine_gets_one_worker_per_gpu(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    found = layout(DispatchSettings())
    assert [env["CUDA_VISIBLE_DEVICES"] for env in found] == ["3", "5"]
    assert [env["MKL_NUM_THREADS"] for env in found] == ["3", "3"]
    assert "CUDA_VISIBLE_DEVICES" not in layout(DispatchSettings(device="cpu"))[0]


def task(key: str) -> Task:
    return Task("complexity", key, "{}", {}, {}, "complexity nothing", None, Place(device="cpu"))


def wait_for(workers: LocalWorkers, seconds: float = 120) -> tuple[str, dict[str, object]]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for event in workers.poll(0.5):
            if event.event != "progress":
                return event.event, event.content
    raise AssertionError("no event came")


def test_a_stage_that_fails_is_told_and_its_worker_goes_on(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, DispatchSettings(device="cpu", workers=1, threads=1))
    ledger = Ledger(tmp_path)
    try:
        for key in ("a" * 64, "b" * 64):
            workers.start(task(key), ledger.begin(key, "complexity", "x"))
            event, content = wait_for(workers)
            assert event == "failed"
            assert "the key does not match the settings" in str(content["message"])
        assert len(workers.workers) == 1 and workers.free() == 1
    finally:
        workers.close()


def test_a_worker_that_dies_is_told_by_its_signal_and_replaced(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, DispatchSettings(device="cpu", workers=1, threads=1))
    ledger = Ledger(tmp_path)
    try:
        workers.start(task("a" * 64), ledger.begin("a" * 64, "complexity", "x"))
        first = workers.workers[0].process.pid
        os.kill(first, signal.SIGKILL)
        event, content = wait_for(workers)
        assert event == "failed" and content["failure"] == "killed"
        assert "its worker was killed by SIGKILL (out of memory" in str(content["message"])
        assert workers.free() == 1
        workers.start(task("b" * 64), ledger.begin("b" * 64, "complexity", "x"))
        assert workers.workers[0].process.pid != first
    finally:
        workers.close()


def test_workers_end_with_their_driver(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, DispatchSettings(device="cpu", workers=2, threads=1))
    ledger = Ledger(tmp_path)
    for key in ("a" * 64, "b" * 64):
        workers.start(task(key), ledger.begin(key, "complexity", "x"))
    processes = [w.process for w in workers.workers]
    workers.close()
    assert all(p.poll() is not None for p in processes)
