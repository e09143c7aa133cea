"""What runs on the compute node, without SLURM: its variables are set, its commands are scripts."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boards as made_up
import pytest
import warm
from tiny_study import TINY

from harness.dispatch.energy import Meter, metered
from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm import state
from harness.dispatch.slurm import task as slurm_task
from harness.dispatch.slurm.asked import Asked
from harness.dispatch.slurm.batch import Batch, Growth
from harness.plan import make_plan
from harness.spec import load_study

NAME = "harness-complexity-1"
JOB = {
    "SUBMITIT_EXECUTOR": "slurm",
    "SLURM_JOB_ID": "8",
    "SLURM_ARRAY_JOB_ID": "7",
    "SLURM_ARRAY_TASK_ID": "0",
    "SLURM_NTASKS": "1",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_NODEID": "0",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_JOB_NODELIST": "here",
}


def packed(root: Path) -> tuple[Ledger, list[Attempt]]:
    """Two stages in one element, written down and not begun."""
    file = root / "tiny.yaml"
    file.write_text(TINY)
    plan = make_plan(load_study(file))
    tasks = [plan.task(s) for s in plan.stages.values() if s.kind == "complexity"][:2]
    ledger = Ledger(root)
    attempts = {t.key: ledger.begin(t.key, t.kind, t.key, NAME, 0) for t in tasks}
    slurm_batch.write(root, Batch(NAME, "complexity", Growth(), [tasks]), attempts, {})
    return ledger, list(attempts.values())


def fill(log: str) -> None:
    """Let a log lie on a full disk."""
    Path(log).parent.mkdir(parents=True)
    Path(log).symlink_to("/dev/full")


def task(root: Path, code: str = "") -> subprocess.CompletedProcess[str]:
    """The task of the element, in a process that runs `code` before it."""
    code += (
        "\nimport sys; from harness.dispatch.slurm.task import main; sys.exit(main(*sys.argv[1:]))"
    )
    return subprocess.run(
        [warm.python(), "-u", "-c", code, str(root), NAME],
        env={**os.environ, **JOB},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_log_on_a_full_disk_fails_its_stage_with_the_cause_and_not_those_beside_it(
    tmp_path: Path,
) -> None:
    ledger, (first, second) = packed(tmp_path)
    fill(first.log)
    done = task(tmp_path)
    now = ledger.read(first)
    assert (now.state, now.failure) == ("again", "environment")
    assert now.error and f"no space left while writing {first.log}" in now.error
    assert now.error in done.stderr and "Traceback" not in done.stderr
    assert done.returncode == 1
    assert ledger.read(second).state == "done"
    assert "committed" in Path(second.log).read_text()


@pytest.mark.parametrize("how", ["empty", "half", "a digit", "removed", "folder"])
def test_a_damaged_list_of_stages_is_not_guessed_from_but_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    """A digit that a disk has changed would train another model under the same key."""
    ledger, attempts = packed(tmp_path)
    packs = tmp_path / "slurm" / NAME / "packs.jsonl"
    text = packs.read_bytes()
    packs.unlink()
    if how == "folder":
        packs.mkdir()
    elif how != "removed":
        changed = text.replace(b"8", b"9", 1)
        packs.write_bytes({"empty": b"", "half": text[: len(text) // 2]}.get(how, changed))
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(slurm_task.signal, "signal", lambda *_: None)
    assert slurm_task.main(str(tmp_path), NAME) == 1
    said = capsys.readouterr().err
    assert str(packs) in said and "a driver submits its stages again" in said
    assert [ledger.read(a).state for a in attempts] == ["running", "running"]


@pytest.mark.slow
def test_a_job_that_release_0_1_left_in_a_queue_still_runs(tmp_path: Path) -> None:
    """Its script names the module as it was called then."""
    ledger, attempts = packed(tmp_path)
    words = [warm.python(), "-u", "-m", "harness.dispatch.slurm_task", str(tmp_path), NAME]
    subprocess.run(words, env={**os.environ, **JOB}, check=True)
    assert [ledger.read(a).state for a in attempts] == ["done", "done"]


FILLS = """
import os
from harness.stages import execute
calls = []
def fills(*_):
    calls.append(1)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1), os.dup2(full, 2)
    if len(calls) == 1:
        raise ValueError("boom")
    return True
execute.execute = fills
"""


@pytest.mark.slow
def test_a_disk_that_fills_during_a_stage_hides_no_cause_and_undoes_no_end(tmp_path: Path) -> None:
    ledger, (first, second) = packed(tmp_path)
    task(tmp_path, FILLS)
    now = ledger.read(first)
    assert now.failure == "error" and now.error
    assert f"boom; no space left while writing {first.log}" in now.error
    assert ledger.read(second).state == "done"


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """scontrol(SCRIPT) is the only command there is; the file of the words it was called with."""
    folder, words = tmp_path / "bin", tmp_path / "words"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    monkeypatch.setattr(
        slurm_task, "ANSWER_S", 2.0
    )  # a busy machine starts a process in half a second
    monkeypatch.setattr(slurm_task, "AGAIN_S", 0.01)

    def command(text: str) -> Path:
        path = folder / "scontrol"
        path.write_text(f'#!/bin/sh\necho "$*" >> {words}\n{text}\n')
        path.chmod(0o755)
        return words

    return command


def preempted(root: Path, ledger: Ledger) -> str | None:
    """Ask the element to stop before its first stage; what that stage then says, if anything."""
    element = slurm_batch.read_pack(root, NAME, 0)
    said = slurm_task.Said(root, NAME, main=True)
    code = slurm_task.requeue(element[0], element, ledger, said, {}, [signal.SIGTERM])
    assert code == 1
    told: str | None = state.read(root, NAME, element[0].task.key).get("state")
    return told


RUNS = "echo JobId=8 JobState=RUNNING StartTime=2026-01-01T00:00:00 PreemptTime=None"


@pytest.mark.slow
def test_a_preempted_task_asks_a_busy_controller_again(
    tmp_path: Path, scontrol: Callable[[str], Path]
) -> None:
    ledger, _ = packed(tmp_path)
    busy = "test $(/usr/bin/wc -l < {0}) = {1} && {2}\n"
    words = tmp_path / "words"
    slow = busy.format(words, 1, "exec /bin/sleep 9") + busy.format(words, 2, "exit 1")
    scontrol(f"{slow}{busy.format(words, 4, 'exit 1')}{RUNS}")
    assert preempted(tmp_path, ledger) == "requeued"
    assert words.read_text().splitlines() == ["show job -o 8"] * 3 + ["requeue 8"] * 2


def test_a_task_whose_state_nobody_tells_is_requeued_unless_it_was_cancelled(
    tmp_path: Path, scontrol: Callable[[str], Path]
) -> None:
    ledger, attempts = packed(tmp_path)
    words = scontrol("test $1 = requeue")
    assert preempted(tmp_path, ledger) == "requeued"
    assert words.read_text().endswith("requeue 8\n")
    for attempt in attempts:
        ledger.end(attempt, "stopped", "stopped", "cancelled by `harness cancel`")
    words.unlink()
    preempted(tmp_path, ledger)
    assert "requeue" not in words.read_text()


def test_a_job_that_slurm_is_ending_is_not_brought_back_to_life(
    tmp_path: Path, scontrol: Callable[[str], Path]
) -> None:
    ledger, _ = packed(tmp_path)
    words = scontrol(RUNS.replace("RUNNING", "CANCELLED"))
    assert preempted(tmp_path, ledger) is None
    assert words.read_text() == "show job -o 8\n"


def test_without_scontrol_a_preempted_task_says_why_it_ended(
    tmp_path: Path, scontrol: Callable[[str], Path]
) -> None:
    ledger, attempts = packed(tmp_path)
    assert preempted(tmp_path, ledger) == "failed"
    for attempt in attempts:
        now = ledger.read(attempt)
        assert (now.state, now.failure) == ("again", "preempted")
        assert now.error and "it cannot be started (No such file or directory)" in now.error


def out_of_time(root: Path, ledger: Ledger, most: bool, whole: bool = True) -> int:
    """The time of the element's job ends in its first stage."""
    element = slurm_batch.read_pack(root, NAME, 0)
    said = slurm_task.Said(root, NAME, main=True)
    asked = Asked(60, most, None, None, {"minutes": "dispatch.slurm.minutes", "mem_gb": "."})
    about = {"minutes": 60, **asked.written()}
    signals = [signal.SIGUSR2]
    return slurm_task.requeue(element[0], element, ledger, said, about, signals, whole=whole)


@pytest.mark.parametrize("most", [False, True])
def test_a_stage_that_keeps_nothing_is_not_requeued_with_the_time_that_was_too_little(
    most: bool, tmp_path: Path, scontrol: Callable[[str], Path]
) -> None:
    """It went back into the queue a hundred times, with the same time and from its beginning."""
    ledger, (first, second) = packed(tmp_path)
    words = scontrol(RUNS)
    assert out_of_time(tmp_path, ledger, most) == 1
    assert "requeue" not in words.read_text()
    now = ledger.read(first)
    assert (now.state, now.failure) == ("again", "timed out")
    assert now.error == "the 60 minutes of its job ended before it was done"
    same, more = "with the same 60 minutes", "with 1.5 times its 60 minutes"
    assert now.next_try and (same if most else more) in now.next_try
    assert ledger.read(second).state == "lost", "it never began"
    states = [state.read(tmp_path, NAME, a.key)["state"] for a in (first, second)]
    assert states == ["failed", "lost"]


def test_a_stage_that_had_only_the_rest_of_a_jobs_time_is_requeued(
    tmp_path: Path, scontrol: Callable[[str], Path]
) -> None:
    ledger, (first, _) = packed(tmp_path)
    words = scontrol(RUNS)
    assert out_of_time(tmp_path, ledger, True, whole=False) == 1
    assert "requeue 8" in words.read_text() and ledger.read(first).state == "running"


def test_the_energy_of_a_requeued_attempt_is_added_up_and_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boards = made_up.install(monkeypatch, tmp_path)
    ledger, (attempt, _) = packed(tmp_path)
    element = slurm_batch.read_pack(tmp_path, NAME, 0)
    given = replace(element[0].task, place=replace(element[0].task.place, device="cuda"))
    for joules in (2, 3):
        said = slurm_task.Said(tmp_path, NAME, main=True)
        assert said.used(given.key) == ({} if joules == 2 else {"devices": 1, "joules": 2.0})
        with metered(given) as meter:
            said.begin(given.key, meter)
            boards.drawn["GPU-c"] += joules * 1000
        said.say(given.key, "requeued")
    event = state.event(given.key, {**state.read(tmp_path, NAME, given.key), "state": "failed"})
    assert event is not None and event.content["used"] == {"devices": 1, "joules": 5.0}
    ended = ledger.end(said.measured(attempt), "done")
    assert (ended.devices, ended.joules) == (1, 5.0) and ended.ran is not None


@pytest.mark.parametrize("error", [None, ValueError("torn")])
def test_the_other_machines_are_heard_before_it_is_written_down_how_a_stage_ended(
    error: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boards = made_up.install(monkeypatch, tmp_path)
    ledger, (attempt, _) = packed(tmp_path)
    entry = slurm_batch.read_pack(tmp_path, NAME, 0)[0]
    task = replace(entry.task, place=replace(entry.task.place, device="cuda"))

    def act(*_: Any) -> bool:
        boards.drawn["GPU-c"] += 5000
        if error is not None:
            raise error
        return True

    events: list[str] = []

    def close(meter: Meter, real: Any = Meter.close) -> None:
        events.append("closed")
        real(meter)
        boards.drawn["GPU-c"] += 1000  # of whoever comes next

    def end(*given: Any, real: Any = Ledger.end, **more: Any) -> Any:
        events.append("ended")
        return real(*given, **more)

    monkeypatch.setattr(Meter, "close", close)
    monkeypatch.setattr(Ledger, "end", end)
    monkeypatch.setattr("harness.stages.execute.execute", act)
    said = slurm_task.Said(tmp_path, NAME, main=True)
    ended = slurm_task.one(replace(entry, task=task), tmp_path, ledger, said, [], {})
    now, before = ledger.read(attempt), state.read(tmp_path, NAME, task.key)["used"]
    assert ended == ("done" if error is None else "failed") and now.joules == 5.0
    assert before == {"devices": 1, "joules": 5.0} and events[:2] == ["closed", "ended"]


def test_of_a_shard_of_a_gpu_no_energy_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up.install(monkeypatch, tmp_path)
    ledger, (attempt, _) = packed(tmp_path)
    entry = slurm_batch.read_pack(tmp_path, NAME, 0)[0]
    task = replace(entry.task, place=replace(entry.task.place, device="cuda"))
    monkeypatch.setenv(slurm_task.SHARDS, "1")
    monkeypatch.setattr("harness.stages.execute.execute", lambda *_: True)
    said = slurm_task.Said(tmp_path, NAME, main=True)
    assert slurm_task.one(replace(entry, task=task), tmp_path, ledger, said, [], {}) == "done"
    now = ledger.read(attempt)
    assert (now.state, now.devices, now.joules) == ("done", 1, None)
