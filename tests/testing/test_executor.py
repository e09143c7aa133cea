"""The laws of executors hold for ours and for a stranger's, and break for one that lies."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import warm
from tiny_study import TINY

from harness.components import Executor
from harness.dispatch.components import Local
from harness.dispatch.executor import Event
from harness.testing import executor as laws

sys.path.insert(0, str(Path(__file__).parents[1] / "example_components"))

from harness_example import subprocess_executor
from harness_example.subprocess_executor import Processes, Subprocess


@pytest.fixture(autouse=True)
def warm_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers and processes of stages have torch loaded, by a server that no law has started."""
    monkeypatch.setattr(sys, "executable", warm.python())
    warm.start_server()


SAMPLE = (laws.a_failure_is_told_with_its_class_and_message, laws.one_stage_is_cancelled)
KEPT = [
    *(pytest.param(Local(), law, id=f"local-{law.__name__}") for law in laws.LAWS),
    *(
        pytest.param(
            Subprocess(),
            law,
            id=f"subprocess-{law.__name__}",
            marks=[] if law in SAMPLE else [pytest.mark.full],
        )
        for law in laws.LAWS
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("component", "law"), KEPT)
def test_the_law_is_kept(component: Executor, law: Any) -> None:
    law(component)


class Endless(Processes):
    """Takes any number of stages at once."""

    def free(self) -> int:
        return self.at_once


class Mute(Processes):
    """Says that a stage failed, and not why."""

    def poll(self, timeout: float) -> list[Event]:
        return [e if e.event != "failed" else Event("failed", e.key) for e in super().poll(timeout)]


class Deaf(Processes):
    """Does not pass on that it should stop, and takes the killed for done."""

    def cancel(self, keys: Any) -> None:
        laws.PATIENCE_S = 3.0  # nothing will come of it; on a busy machine all else takes long

    def poll(self, timeout: float) -> list[Event]:
        return [
            Event("done", e.key, {"ours": True}) if e.event == "failed" else e
            for e in super().poll(timeout)
        ]


class Sweeping(Processes):
    """Cancels all where it is asked to cancel one."""

    def cancel(self, keys: Any) -> None:
        super().cancel(list(self.running))


class Boastful(Processes):
    """Calls every commit its own."""

    def poll(self, timeout: float) -> list[Event]:
        found = super().poll(timeout)
        return [replace(e, content={"ours": True}) if e.event == "done" else e for e in found]


class Tidying(Processes):
    """Begins by throwing away what other drivers hold."""

    def __init__(self, root: Path, at_once: int) -> None:
        super().__init__(root, at_once)
        shutil.rmtree(root / "claims", ignore_errors=True)


class Dozing(Processes):
    """Its poll does not come back in time."""

    def poll(self, timeout: float) -> list[Event]:
        time.sleep(2.1)
        return super().poll(timeout)


def lying(running: type[Processes]) -> Executor:
    """An executor that is run by this class."""
    named = {"__doc__": running.__doc__, "__module__": __name__}
    found = type("Lying", (Subprocess,), {"open": lambda _, root, study: running(root, 1), **named})
    executor: Executor = found()
    return executor


BROKEN = [
    (Endless, laws.a_stage_is_done_and_its_place_is_free_again, "runs takes no place"),
    (Mute, laws.a_failure_is_told_with_its_class_and_message, "class of the failure is not told"),
    (Deaf, laws.a_killed_attempt_is_seen, "a killed stage was told as done"),
    (Deaf, laws.a_stop_request_is_honoured, "none of stopped"),
    (Sweeping, laws.one_stage_is_cancelled, r"none of progress came of a stage; .*'stopped'\]"),
    (Boastful, laws.two_claims_never_both_win, r"called it theirs: \[True, True\]"),
    (Tidying, laws.two_claims_never_both_win, r"claims of one stage gave \[True, True"),
    (Dozing, laws.the_poll_comes_back_in_time, "did not come back at once"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("running", "law", "said"), BROKEN)
def test_a_broken_promise_is_named(
    running: type[Processes], law: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laws, "PATIENCE_S", laws.PATIENCE_S)  # Deaf changes it
    with pytest.raises(AssertionError, match=said):
        law(lying(running))


class Leaving(Processes):
    """Closes without a word to what it started."""

    def close(self) -> None:
        pass


OPENED: list[Leaving] = []


class Careless(Subprocess):
    """Another bad one."""

    def open(self, root: Path, study: Any) -> Any:
        OPENED.append(Leaving(root, 1))
        return OPENED[-1]


BROKEN_AT_THE_END = [(Careless(), laws.nothing_outlives_close)]


@pytest.mark.slow
@pytest.mark.parametrize(("careless", "law"), BROKEN_AT_THE_END)
def test_what_outlives_close_is_named(
    careless: Executor, law: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laws, "CLOSING_S", 1.0)
    try:
        with pytest.raises(AssertionError, match=r"these run on: \d+ \(.*harness.dispatch.one"):
            law(careless)
    finally:
        for one in OPENED:
            Processes.close(one)


def test_the_example_is_short() -> None:
    lines = Path(subprocess_executor.__file__).read_text().splitlines()
    assert len(lines) <= 150


@pytest.mark.slow
def test_a_study_that_brings_it_in_one_file_runs_to_its_end_with_it(tmp_path: Path) -> None:
    shutil.copy(subprocess_executor.__file__, tmp_path / "my_executor.py")
    text = TINY.replace("dispatch: {executor: local, ", "dispatch: {executor: EXECUTOR, ")
    text = text.replace("EXECUTOR", "{name: subprocess, at_once: 2}").replace("[S, B]", "[S]")
    (tmp_path / "tiny.yaml").write_text(f"components: [my_executor.py]\n{text}")
    command = [
        warm.python(),
        "-m",
        "harness",
        "run",
        "tiny.yaml",
        "--no-report",
        "--only",
        "train",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4/4" in done.stdout
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0 and "4 stages, 4 done" in again.stdout
