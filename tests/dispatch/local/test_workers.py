"""Local workers: how many, with what threads and which GPU; what their deaths are called."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.local import LocalWorkers, layout, places
from harness.dispatch.local import workers as local
from harness.errors import Missing
from harness.plan.stages import Place, Task
from harness.spec.schema import DispatchSettings


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(places, "cores", lambda: 6)
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


def wait_for(
    workers: LocalWorkers, *wanted: str, seconds: float = 240
) -> tuple[str, dict[str, Any]]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for event in workers.poll(0.5):
            if event.event in wanted or (not wanted and event.event != "progress"):
                return event.event, event.content
    raise AssertionError("no event came")


STAGES = """
import ctypes, os, sys, threading, time, types

class Stopped(Exception):
    pass

def late():
    print("after the stage")
    os.write(1, b"and from C\\n")

def execute(task, store, progress, stopping):
    print("stage says", task.label)
    if task.label == "fill":  # the disk of its log
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, 1), os.dup2(full, 2)
        raise ValueError("boom")
    if task.label == "crash":
        ctypes.string_at(0)
    if task.label == "chatter":  # of a thread that outlives its stage
        threading.Timer(0.5, late).start()
    while task.label == "wait":
        progress(done=1, total=2)
        if stopping():
            raise Stopped("it has saved")
        time.sleep(0.05)
    return True

cuda = types.SimpleNamespace(is_initialized=lambda: False)
for name, content in {
    "torch": {"set_num_threads": id, "cuda": cuda},  # so that a worker starts in a moment
    "harness.stages.execute": {
        "execute": execute,
        "classify": lambda error: "error",
        "of_a_full_disk": lambda error: False,  # what these stages raise is of none
    },
    "harness.stages.work": {"Stopped": Stopped},
}.items():
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(content)
"""


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalWorkers]:
    """One worker, whose stages do what their labels say."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(STAGES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    found = LocalWorkers(tmp_path, DispatchSettings(device="cpu", workers=1, threads=1))
    yield found
    found.close()


def begin(workers: LocalWorkers, label: str, key: str = "a" * 64) -> Attempt:
    attempt = Ledger(workers.root).begin(key, "complexity", label)
    workers.start(replace(task(key), label=label), attempt)
    return attempt


@pytest.mark.slow
def test_a_stage_that_fails_is_told_and_its_worker_goes_on(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, DispatchSettings(device="cpu", workers=1, threads=1))
    ledger = Ledger(tmp_path)
    try:
        for key in ("a" * 64, "b" * 64):
            workers.start(task(key), ledger.begin(key, "complexity", "x"))
            event, content = wait_for(workers)
            assert event == "failed"
            assert "the key does not match the settings" in str(content["message"])
        assert len(workers.crews) == 1 and workers.free() == 1
    finally:
        workers.close()


@pytest.mark.slow
def test_a_worker_that_dies_is_told_by_its_signal_and_replaced(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, DispatchSettings(device="cpu", workers=1, threads=1))
    ledger = Ledger(tmp_path)
    try:
        workers.start(task("a" * 64), ledger.begin("a" * 64, "complexity", "x"))
        first = workers.crews[0].members[0].process.pid
        os.kill(first, signal.SIGKILL)
        event, content = wait_for(workers)
        assert event == "failed" and content["failure"] == "killed"
        assert "its worker was killed by SIGKILL (by somebody" in str(content["message"])
        assert workers.free() == 1
        workers.start(task("b" * 64), ledger.begin("b" * 64, "complexity", "x"))
        assert workers.crews[0].members[0].process.pid != first
    finally:
        workers.close()


@pytest.mark.slow
def test_workers_end_with_their_driver(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, DispatchSettings(device="cpu", workers=2, threads=1))
    ledger = Ledger(tmp_path)
    for key in ("a" * 64, "b" * 64):
        workers.start(task(key), ledger.begin(key, "complexity", "x"))
    processes = [m.process for crew in workers.crews for m in crew.members]
    workers.close()
    assert all(p.poll() is not None for p in processes)


@pytest.mark.slow
def test_a_crash_in_c_leaves_its_traceback_and_all_that_was_printed(workers: LocalWorkers) -> None:
    attempt = begin(workers, "crash")
    event, content = wait_for(workers)
    assert (event, content["failure"]) == ("failed", "killed")
    assert content["message"] == "its worker was killed by SIGSEGV"
    log = Path(attempt.log).read_text()
    assert "stage says crash" in log
    assert "Segmentation fault" in log and "string_at" in log  # faulthandler's traceback
    assert log.rstrip().endswith("its worker was killed by SIGSEGV")


@pytest.mark.slow
def test_a_killed_stages_log_says_so(workers: LocalWorkers) -> None:
    attempt = begin(workers, "wait")
    wait_for(workers, "progress")
    os.kill(workers.crews[0].members[0].process.pid, signal.SIGKILL)
    assert wait_for(workers, "failed")[1]["failure"] == "killed"
    log = Path(attempt.log).read_text()
    assert "stage says wait" in log and "its worker was killed by SIGKILL" in log


@pytest.mark.slow
def test_a_stage_the_kernel_killed_for_memory_is_classed_so(
    workers: LocalWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = iter([4, 5])
    monkeypatch.setattr(local, "out_of_memory_kills", lambda: next(kills))
    begin(workers, "wait")
    wait_for(workers, "progress")
    os.kill(workers.crews[0].members[0].process.pid, signal.SIGKILL)
    _, content = wait_for(workers, "failed")
    assert content["failure"] == "out of memory" and "fewer --workers" in content["message"]


@pytest.mark.slow
def test_a_log_on_a_full_disk_fails_its_stage_with_the_cause_and_no_other(
    workers: LocalWorkers,
) -> None:
    attempt = Ledger(workers.root).begin("a" * 64, "complexity", "any")
    Path(attempt.log).parent.mkdir(parents=True)
    Path(attempt.log).symlink_to("/dev/full")
    workers.start(task("a" * 64), attempt)
    event, content = wait_for(workers)
    assert (event, content["failure"]) == ("failed", "environment")
    assert f"no space left while writing {attempt.log}" in content["message"]
    attempt = begin(workers, "fill", "b" * 64)
    event, content = wait_for(workers)
    assert event == "failed"
    assert f"ValueError: boom; no space left while writing {attempt.log}" in content["message"]
    begin(workers, "any", "c" * 64)
    assert wait_for(workers)[0] == "done"


@pytest.mark.slow
def test_what_is_printed_between_stages_is_in_the_workers_log(workers: LocalWorkers) -> None:
    attempt = begin(workers, "chatter")
    assert wait_for(workers)[0] == "done"
    time.sleep(1)
    assert "after the stage" not in Path(attempt.log).read_text()
    own = workers.crews[0].members[0].log
    workers.close()
    assert "after the stage" in own.read_text() and "and from C" in own.read_text()
    assert "stage says" not in own.read_text()


@pytest.mark.slow
def test_one_stage_is_cancelled_and_its_worker_does_the_next(workers: LocalWorkers) -> None:
    begin(workers, "wait")
    wait_for(workers, "progress")
    first = workers.crews[0].members[0].process.pid
    workers.cancel(["b" * 64])  # another's
    workers.cancel(["a" * 64])
    event, content = wait_for(workers, "stopped", "done")
    assert (event, content["message"]) == ("stopped", "it has saved")
    begin(workers, "print", "b" * 64)
    assert wait_for(workers, "stopped", "done")[0] == "done"
    assert workers.crews[0].members[0].process.pid == first


@pytest.mark.slow
def test_a_terminated_worker_saves_its_stage_and_is_replaced(workers: LocalWorkers) -> None:
    begin(workers, "wait")
    wait_for(workers, "progress")
    first = workers.crews[0].members[0]
    first.process.terminate()
    assert wait_for(workers, "stopped")[1]["message"] == "it has saved"
    first.process.wait(30)
    begin(workers, "print", "b" * 64)
    assert wait_for(workers, "done", "lost")[0] in ("done", "lost")
    begin(workers, "print", "c" * 64)
    assert wait_for(workers, "done")[0] == "done"
    assert first not in [m for crew in workers.crews for m in crew.members]


@pytest.mark.slow
def test_workers_that_cannot_start_say_why_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.12 is not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workers = LocalWorkers(tmp_path, DispatchSettings(device="cpu", workers=1, threads=1))
    workers.start(task("a" * 64), Ledger(tmp_path).begin("a" * 64, "complexity", "x"))
    with pytest.raises(Missing, match=r"cannot start here.*exit code 1\n(.*\n)*.*libcudart"):
        wait_for(workers)
    workers.close()


@pytest.mark.slow
def test_workers_without_a_word_leave_no_log(workers: LocalWorkers) -> None:
    begin(workers, "quick")
    wait_for(workers, "done")
    own = workers.crews[0].members[0].log
    assert own.exists()
    workers.close()
    assert not own.exists()
