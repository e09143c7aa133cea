"""What a task does on its node, without SLURM and without work: `execute` is pretended."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import harness.stages.execute
from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm import task as slurm_task
from harness.dispatch.slurm.batch import Batch, Growth
from harness.plan.stages import Place, Task
from harness.stages.work import Stopped
from harness.store import Store

Does = Callable[[Task, Callable[[], bool]], None]


@pytest.fixture(autouse=True)
def on_a_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The variables of element 0 of job 77, and this process's signals as they were."""
    job = {"JOB_ID": "77", "ARRAY_JOB_ID": "77", "ARRAY_TASK_ID": "0", "NTASKS": "1"}
    for name, value in {**job, "JOB_NUM_NODES": "1", "NODEID": "0", "PROCID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SLURM_LOCALID", "0")
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setattr(slurm_task, "CANCEL_LOOK_S", 0.0)
    numbers = (signal.SIGTERM, signal.SIGUSR2, signal.SIGCONT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def task(key: str, kind: str = "train", **inputs: str) -> Task:
    return Task(kind, key, "{}", inputs, {}, f"{kind} {key}", None, Place(device="cpu"))


def written(root: Path, *tasks: Task, name: str = "harness-train-a") -> dict[str, Attempt]:
    """A batch of one element, as a driver writes it down before sbatch. Its attempts."""
    ledger = Ledger(root)
    attempts = {t.key: ledger.begin(t.key, t.kind, t.label, name, 0) for t in tasks}
    kind = tasks[0].kind
    slurm_batch.write(root, Batch(name, kind, Growth(), [list(tasks)]), attempts, {})
    return attempts


def run(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    does: Does = lambda task, stopping: None,
    name: str = "harness-train-a",
) -> tuple[int, list[str]]:
    """Be the task: its exit code, and the keys it executed to the end."""
    done: list[str] = []

    def execute(task: Task, store: Store, progress: object, stopping: Callable[[], bool]) -> bool:
        does(task, stopping)
        store.folder(task.kind, task.key).mkdir(parents=True)
        done.append(task.key)
        return True

    monkeypatch.setattr(harness.stages.execute, "execute", execute)
    return slurm_task.main(str(root), name), done


def test_of_a_pack_one_stage_that_is_cancelled_stops_alone_and_what_follows_the_others_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = written(tmp_path, task("a"), task("b"), task("c"))
    ledger = Ledger(tmp_path)

    def does(task: Task, stopping: Callable[[], bool]) -> None:
        assert not stopping()
        if task.key == "a":  # `harness cancel a c` while a runs
            ledger.end(attempts["a"], "stopped", "stopped", "cancelled")
            ledger.end(attempts["c"], "stopped", "stopped", "cancelled")
            assert stopping()
            raise Stopped("at step 7")

    code, done = run(tmp_path, monkeypatch, does)
    assert done == ["b"]
    assert code == 0, "SLURM would cancel the children of b as well"
    states = {key: ledger.read(attempt).state for key, attempt in attempts.items()}
    assert states == {"a": "stopped", "b": "done", "c": "stopped"}


def test_what_follows_a_cancelled_stage_is_lost_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = written(tmp_path, task("a"), task("b"))
    Ledger(tmp_path).end(parents["a"], "stopped", "stopped", "cancelled")
    assert run(tmp_path, monkeypatch)[1] == ["b"]
    name = "harness-sample-a"
    children = [task(f"of {key}", "sample", checkpoint=key) for key in ("a", "b")]
    attempts = written(tmp_path, *children, name=name)
    assert run(tmp_path, monkeypatch, name=name) == (0, ["of b"])
    lost = Ledger(tmp_path).read(attempts["of a"])
    assert (lost.state, lost.error) == ("lost", "it needs train a, which is not done (stopped)")
    said = json.loads((tmp_path / "slurm" / name / "state" / "of a.json").read_text())
    assert said["state"] == "lost"


def test_a_task_of_a_second_job_for_the_same_batch_leaves_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (attempt,) = written(tmp_path, task("a")).values()
    slurm_batch.set_job(tmp_path, "harness-train-a", "76")
    assert run(tmp_path, monkeypatch) == (0, [])
    assert Ledger(tmp_path).read(attempt).state == "running"
    assert not list((tmp_path / "slurm" / "harness-train-a" / "state").iterdir())
    slurm_batch.set_job(tmp_path, "harness-train-a", "77")
    assert run(tmp_path, monkeypatch) == (0, ["a"])
