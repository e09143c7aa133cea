"""Trackers are told what the records say, and never fail or change a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from harness.components import registry
from harness.components.registry import Entry
from harness.components.tracker import Tracked, Tracker
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


@pytest.fixture
def brought() -> Iterator[None]:
    for cls in (Remembering, Breaking, Leaving):
        cls.told.clear()
    registry.add_file_entries(
        [Entry("tracker", c.name, "a test", c, "0" * 64) for c in (Remembering, Breaking, Leaving)]
    )
    yield
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
    assert "the tracker breaking is told nothing more" in said and "the server is away" in said
    assert len(Breaking.told) == 3
    assert [t[0] for t in Remembering.told[1:-1]] == [0, 1, 2, 3]


def test_a_name_that_nobody_has_here_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    trackers = opened("of-another-machine")
    trackers.scalars(1, {"a": 1.0})
    assert "unknown tracker 'of-another-machine'" in capsys.readouterr().out


def test_one_that_would_end_the_process_does_not(
    brought: None, capsys: pytest.CaptureFixture[str]
) -> None:
    trackers = opened("leaving", "remembering")
    trackers.scalars(1, {"a": 1.0})
    trackers.close()
    assert "SystemExit: not logged in" in capsys.readouterr().out
    assert Remembering.told[1:] == [(1, {"a": 1.0}), "closed"]
