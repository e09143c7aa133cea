"""Trackers are told what the records say, and never fail or change a run."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from harness.components import registry
from harness.components.registry import Entry
from harness.components.tracker import Tracked, Tracker
from harness.stages import tracking
from harness.stages.tracking import Trackers


class Remembering(Tracker):
    """Keeps what it was told."""

    name: ClassVar[str] = "remembering"
    told: ClassVar[list[Any]] = []

    def open(self, tracked: Tracked) -> Any:
        self.told.append(("open", tracked.run))
        return self

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.told.append((step, dict(values)))

    def images(self, step: int, name: str, images: np.ndarray) -> None:
        self.told.append((step, name, images.shape))

    def close(self) -> None:
        self.told.append("closed")


class Breaking(Remembering):
    """Fails at the second thing it is told."""

    name: ClassVar[str] = "breaking"
    told: ClassVar[list[Any]] = []

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        super().scalars(step, values)
        if len(self.told) > 2:
            raise ConnectionError("the server is away")


class Leaving(Remembering):
    """Ends the process, as some libraries do when they cannot log in."""

    name: ClassVar[str] = "leaving"
    told: ClassVar[list[Any]] = []

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        values.clear()  # type: ignore[attr-defined]  # what the next one is told is not its own
        raise SystemExit("not logged in")


class Hanging(Remembering):
    """Does not answer when it is asked for what HANGS says, until the test ends."""

    name: ClassVar[str] = "hanging"
    told: ClassVar[list[Any]] = []
    hangs: ClassVar[str] = ""
    go_on: ClassVar[threading.Event] = threading.Event()

    def open(self, tracked: Tracked) -> Any:
        self._maybe("open")
        return super().open(tracked)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._maybe("scalars")
        super().scalars(step, values)

    def close(self) -> None:
        self._maybe("close")
        super().close()

    def _maybe(self, what: str) -> None:
        if what == self.hangs:
            self.go_on.wait(30)


class Unspeakable(Remembering):
    """Raises what cannot even be printed."""

    name: ClassVar[str] = "unspeakable"
    told: ClassVar[list[Any]] = []

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        class Error(BaseException):
            def __str__(self) -> str:
                raise ValueError

        raise Error if step else OSError("a name\udcff")


OURS = (Remembering, Breaking, Leaving, Hanging, Unspeakable)


@pytest.fixture
def brought() -> Iterator[None]:
    for cls in OURS:
        cls.told.clear()
    registry.add_file_entries([Entry("tracker", c.name, "a test", c, "0" * 64) for c in OURS])
    Hanging.go_on.clear()
    tracking._hung.clear()
    yield
    Hanging.go_on.set()
    tracking._hung.clear()
    registry.forget_files()


def opened(*names: str) -> Trackers:
    tracked = Tracked("s", "ab" * 32, "label", {}, Path("nowhere"))
    return Trackers([{"name": name} for name in names], tracked)


def test_only_finite_numbers_are_told(brought: None) -> None:
    trackers = opened("remembering")
    trackers.scalars(3, {"a": 1, "b": math.nan, "c": None, "d": math.inf, "e": 2.5})
    trackers.close()
    assert Remembering.told == [("open", "ab" * 32), (3, {"a": 1.0, "e": 2.5}), "closed"]


def test_one_that_fails_is_told_nothing_more_and_the_others_are(
    brought: None, capsys: pytest.CaptureFixture[str]
) -> None:
    trackers = opened("breaking", "remembering")
    for step in range(4):
        trackers.scalars(step, {"a": 1.0})
    trackers.close()
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "the tracker breaking receives nothing more" in said and "the server is away" in said
    assert len(Breaking.told) == 3
    assert [t[0] for t in Remembering.told[1:-1]] == [0, 1, 2, 3]


def test_a_name_that_nobody_has_here_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    trackers = opened("of-another-machine")
    trackers.scalars(1, {"a": 1.0})
    trackers.close()
    assert "unknown tracker 'of-another-machine'" in capsys.readouterr().out


def test_one_that_would_end_the_process_does_not(
    brought: None, capsys: pytest.CaptureFixture[str]
) -> None:
    trackers = opened("leaving", "remembering")
    trackers.scalars(1, {"a": 1.0})
    trackers.close()
    assert "SystemExit: not logged in" in capsys.readouterr().out
    assert Remembering.told[1:] == [(1, {"a": 1.0}), "closed"]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["open", "scalars", "close"])
def test_one_that_hangs_holds_a_run_for_its_limit_and_only_once(
    brought: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(tracking, "LIMIT_S", 0.3)
    monkeypatch.setattr(Hanging, "hangs", what)
    began = time.monotonic()
    trackers = opened("hanging", "remembering")
    for step in range(50):
        trackers.scalars(step, {"a": 1.0})
    trackers.close()
    assert 0.2 < time.monotonic() - began < 50 * 0.3  # of which each step would wait
    said = capsys.readouterr().out
    assert said.count("the tracker hanging receives nothing more") == 1
    assert "it did not answer for 0.3 s" in said
    assert len(Remembering.told) == 52  # the other one heard everything
    monkeypatch.setattr(tracking, "LIMIT_S", 60.0)
    began = time.monotonic()
    opened("hanging").close()  # the next stage of this worker
    assert time.monotonic() - began < 50
    assert "did not answer an earlier stage" in capsys.readouterr().out


def test_training_does_not_wait_for_a_slow_one_and_what_waits_for_it_has_a_limit(
    brought: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hanging, "hangs", "scalars")
    trackers = opened("hanging")
    began = time.monotonic()
    for step in range(tracking.WAITING + 5):
        trackers.scalars(step, {"a": 1.0})
    assert time.monotonic() - began < 50  # the limit is a minute: nobody waited
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "slower than the training" in said
    trackers.close()


@pytest.mark.parametrize("step", [0, 1])
def test_an_error_that_cannot_be_printed_fails_nothing(
    brought: None, capsys: pytest.CaptureFixture[str], step: int
) -> None:
    trackers = opened("unspeakable", "remembering")
    trackers.scalars(step, {"a": 1.0})
    trackers.close()
    assert "the tracker unspeakable receives nothing more" in capsys.readouterr().out
    assert Remembering.told[-1] == "closed"


def test_a_package_that_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    opened("mlflow").close()
    assert "(pip install mlflow, or take it out of dispatch.trackers)" in capsys.readouterr().out


@pytest.mark.slow
def test_a_process_ends_although_threads_of_a_tracker_hang() -> None:
    code = """
import threading, time
from harness.stages import tracking
threading.Thread(target=time.sleep, args=(900,)).start()  # a library's, and no daemon
tracking._hung.add("hanging")
print("done")
tracking.leave(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=300)
    assert (done.returncode, done.stdout) == (3, b"done\n")


def test_samples_that_cannot_be_read_fail_no_committed_stage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OSError("the disk is away")

    monkeypatch.setattr(tracking, "_tell_committed", broken)
    task: Any = SimpleNamespace(place=SimpleNamespace(trackers=({"name": "tensorboard"},)))
    tracking.committed(task, {}, None, Path("nowhere"))
    assert "OSError: the disk is away" in capsys.readouterr().out
