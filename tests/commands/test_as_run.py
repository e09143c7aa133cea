"""A study whose file or component is not available is read by what its last `run` kept of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from moved_study import of_a_strangers_model
from verbs import Said, tried

from harness.commands import as_run
from harness.plan import make_plan
from harness.plan.index import index
from harness.spec import load_study
from harness.store import records
from harness.store.studies import Index


def counts(said: str) -> list[str]:
    """The lines of `status` that count stages."""
    return [line for line in said.splitlines() if re.search(r"\s\d+(\s+(-|\d+)){6}$", line)]


@pytest.mark.slow
def test_status_of_a_file_that_was_moved_is_planned_from_its_text(moved: Index, verb: Said) -> None:
    code, before = verb("status", "kept.yaml")
    Path("kept.yaml").unlink()
    for name in ("kept", "kept.yaml", "kept-laptop"):
        again, said = verb("status", name)
        assert again == code and counts(said) == counts(before) != []
        assert "note: this is kept as it was run, " in said and "its text is kept in" in said
    assert verb("status", "nobody.yaml")[0] == 2
    assert verb("status", "kept", "--set", "train.steps=9")[0] == 2  # of which nothing is known


@pytest.mark.slow
def test_status_of_a_component_that_is_not_here_counts_what_was_kept(
    moved: Index, verb: Said
) -> None:
    theirs = of_a_strangers_model(moved)
    code, before = verb("status", "kept.yaml")
    again, said = verb("status", "theirs")
    assert again == code == 0 and "Traceback" not in said
    assert "model.family: unknown family 'somebodys-net'" in said
    assert [line.split() for line in counts(said)] == [line.split() for line in counts(before)]
    document = json.loads(verb("status", "theirs", "--json")[1].partition("\nnote:")[0])
    assert document["study"] == "theirs" and document["kinds"]["train"]["done"] == 4
    key = next(k for k, s in theirs.stages.items() if s.kind == "evaluate" and s.runs)
    assert as_run.label(theirs, key).startswith("evaluate DiT-1x8x2/2 seed 0")


@pytest.mark.slow
def test_a_study_whose_component_file_is_not_here_is_read_as_it_was_run(
    moved: Index, verb: Said
) -> None:
    code, before = verb("status", "kept.yaml")
    path = Path("kept.yaml")
    path.write_text(path.read_text() + "components: [absent.py]\n")
    again, said = verb("status", "kept.yaml")
    assert again == code and counts(said) == counts(before) != []
    assert "components: absent.py: No such file" in said and "kept.yaml has changed since" in said
    path.write_text(path.read_text().replace("absent.py", "absent"))
    assert verb("status", "kept.yaml")[0] == 2  # a mistake


def test_stages_stand_as_their_last_attempts_left_them(tmp_path: Path, study: Path) -> None:
    plan = make_plan(load_study(study))
    kept = index(plan)
    first, second, third, *_ = (s for s in plan.stages.values() if s.kind == "train")
    root = study.parent / "results"
    ledger, attempt = tried(root, first)
    ledger.end(attempt, "failed", "error", "it broke")
    ledger, _ = tried(root, second)
    ledger.claim(second.key)
    records.write(root, "metrics", third.key, [{"key": third.key, "metric": "fd", "value": 1.0}])
    found = as_run.seen(root, kept)
    ledger.leave()
    states = [found[stage.key].state for stage in (first, second, third)]
    assert states == ["failed", "running", "done"]
    assert list(found) == list(kept.stages)
    others = {k: s.state for k, s in found.items() if k not in (first.key, second.key, third.key)}
    assert set(others.values()) == {"waiting"}
