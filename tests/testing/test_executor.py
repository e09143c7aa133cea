"""The laws of executors hold for ours and for a stranger's, and break for one that lies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from harness.components import Executor
from harness.dispatch.components import Local
from harness.dispatch.executor import Event
from harness.testing import executor as laws

sys.path.insert(0, str(Path(__file__).parents[1] / "example_components"))

from harness_example import subprocess_executor
from harness_example.subprocess_executor import Processes, Subprocess


@pytest.mark.slow
@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("component", [Local(), Subprocess()], ids=["local", "subprocess"])
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


def test_the_example_is_short() -> None:
    lines = Path(subprocess_executor.__file__).read_text().splitlines()
    assert len(lines) <= 150
