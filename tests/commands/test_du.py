"""`du`: what belongs to a study, and what to none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.plan import make_plan
from harness.spec import load_study
from harness.store.artifacts import Store


@pytest.mark.slow
def test_the_verb(
    store: Store,
    commit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    commit(store, "sample", "f")
    stage = next(iter(make_plan(load_study("scaling", "smoke")).stages.values()))
    commit(store, stage.kind, "", key=stage.key)
    assert main(["du", "scaling"]) == 0
    said = capsys.readouterr().out
    (smoke,) = [line for line in said.splitlines() if "scaling (smoke)" in line]
    assert smoke.split()[2] == "1"
    assert "none of these" in said
    assert main(["du", "scaling", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {r["key"]: r["studies"] for r in rows}[stage.key] == ["scaling (smoke)"]
    assert main(["du", "--results", "absent"]) == 2
    assert main(["du", "scalling"]) == 2
