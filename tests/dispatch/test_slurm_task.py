"""Scripts of release 0.1 name harness.dispatch.slurm_task: what they begin is today's task."""

from __future__ import annotations

import runpy

import pytest


def test_it_runs_the_task_that_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[tuple[str, dict[str, object]]] = []
    original = runpy.run_module

    def note(name: str, **given: object) -> None:
        run.append((name, given))

    monkeypatch.setattr(runpy, "run_module", note)
    original("harness.dispatch.slurm_task", run_name="__main__")
    assert run == [("harness.dispatch.slurm.task", {"run_name": "__main__", "alter_sys": True})]
    run.clear()
    original("harness.dispatch.slurm_task", run_name="imported")
    assert run == []
