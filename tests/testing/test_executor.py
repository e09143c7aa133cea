"""The laws of executors hold for ours and for a stranger's, and break for one that lies."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

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
    """Workers and processes of stages have torch loaded."""
    monkeypatch.setattr(sys, "executable", warm.python())


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


class Deaf(Processes):
    """Does not pass on that it should stop, and takes the killed for done."""

    def cancel(self, keys: Any) -> None:
        pass

    def poll(self, timeout: float) -> list[Event]:
        return [
            Event("done", e.key, {"ours": True}) if e.event == "failed" else e
            for e in super().poll(timeout)
        ]


class Lying(Subprocess):
    """A bad one."""

    def open(self, root: Path, study: Any) -> Any:
        return Deaf(root, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "said"),
    [
        (laws.a_killed_attempt_is_seen, "a killed stage was told as done"),
        (laws.a_stop_request_is_honoured, "none of stopped"),
    ],
)
def test_a_broken_promise_is_named(law: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laws, "PATIENCE_S", 25.0)
    with pytest.raises(AssertionError, match=said):
        law(Lying())


class Leaving(Processes):
    """Closes without a word to what it started."""

    def close(self) -> None:
        pass


class Careless(Subprocess):
    """Another bad one."""

    def open(self, root: Path, study: Any) -> Any:
        self.opened.append(Leaving(root, 1))
        return self.opened[-1]

    opened: ClassVar[list[Leaving]] = []


@pytest.mark.slow
def test_what_outlives_close_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laws, "CLOSING_S", 1.0)
    try:
        with pytest.raises(AssertionError, match=r"these run on: \d+ \(.*harness.dispatch.one"):
            laws.nothing_outlives_close(Careless())
    finally:
        for one in Careless.opened:
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
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0 and "4 stages, 4 done" in again.stdout
