"""Where a stage that SLURM was given stands, for people."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.dispatch.executor import Event, Look
from harness.dispatch.slurm.look import look

TASK: Any = SimpleNamespace(key="k")


class Jobs:
    """What SlurmJobs would say."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.queue = SimpleNamespace(elements=given.get("elements", {}), trouble="squeue is silent")

    def adopt(self, task: Any, attempt: Any) -> Event | None:
        return self.given.get("event")

    def spoke(self, key: str) -> bool:
        return "said" in self.given

    def said(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.given["said"]
        return found

    def state(self, key: str) -> str | None:
        return self.given.get("state")

    def reason(self, key: str) -> str:
        return str(self.given.get("reason", ""))


RUNS = {"state": "running", "done": 3}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"event": Event("done", "k")}, Look("done")),
        ({"state": "PENDING", "reason": "Priority"}, Look("queued", "Priority")),
        ({"state": "RUNNING", "said": RUNS}, Look("running", "", RUNS)),
        (
            {"state": "RUNNING"},
            Look("queued", "their task runs and has not come to them yet"),
        ),
        (
            {
                "state": "PENDING",
                "reason": "BeginTime",
                "said": {"state": "requeued", "failure": "preempted", "count": 2},
            },
            Look("queued", "preempted 2 times; BeginTime"),
        ),
    ],
)
def test_it_is_told_as_the_driver_would_judge_it(given: dict[str, Any], expected: Look) -> None:
    assert look(Jobs(**given), TASK, None) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("said", "state"), [(RUNS, "running"), ({"state": "done"}, "queued")])
def test_where_slurm_is_silent_the_last_word_counts(said: dict[str, Any], state: str) -> None:
    found = look(Jobs(elements=None, said=said), TASK, None)  # type: ignore[arg-type]
    assert found.state == state and "SLURM does not answer" in found.reason
    assert found.note is not None and found.note.startswith("squeue is silent")
