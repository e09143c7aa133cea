"""`retry`: what failed is tried again, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from verbs import Said, stages, tried


def test_retrying_what_has_not_failed_starts_nothing(verb: Said, study: Path) -> None:
    code, said = verb("retry", "tiny.yaml", "--stage", "train")
    assert code == 0
    assert "none of the 4 stages that match has failed; nothing was started" in said
    assert "harness run tiny.yaml" in said
    assert not (study.parent / "results").exists()


def test_retrying_in_a_folder_that_is_not_there_does_not_begin_the_study(
    verb: Said, study: Path
) -> None:
    """A mistyped --results started all of it."""
    code, said = verb("retry", "tiny.yaml", "--results", "reslts")
    assert code == 2 and "results folder reslts is not there: nothing was run yet" in said
    assert "to begin: python -m harness run tiny.yaml --results reslts" in said
    assert not (study.parent / "reslts").exists()


def test_a_dry_run_lists_what_is_tried_again_by_itself_with_its_date(
    verb: Said, study: Path
) -> None:
    train, other = stages(study, "train")[:2]
    for stage, state, failure in ((train, "again", "environment"), (other, "failed", "killed")):
        ledger, attempt = tried(study.parent / "results", stage)
        ledger.end(attempt, state, failure, "no space left")
    code, said = verb("retry", "tiny.yaml", "--dry-run")
    assert code == 0 and "no stage has failed" not in said
    lines = said.splitlines()
    for stage, failure in ((train, "environment"), (other, "killed")):
        (line,) = (one for one in lines if stage.label in one)
        assert line.startswith("would try again") and f", try 1: {failure})" in line
    code, said = verb("status", "tiny.yaml")
    (again,) = (line for line in said.splitlines() if "environment: no space left" in line)
    assert re.search(r"^to be tried again: 1 stage \(the last \d{4}-\d\d-\d\d .*, try 1\):", again)


def test_retrying_as_a_dry_run_says_what_it_would_do_and_changes_nothing(
    verb: Said, study: Path
) -> None:
    code, said = verb("retry", "tiny.yaml", "--dry-run")
    assert code == 0 and "no stage has failed" in said
    root = study.parent / "results"
    train = stages(study, "train")[0]
    ledger, attempt = tried(root, train)
    ledger.end(attempt, "failed", "error", "ValueError: boom")
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    code, said = verb("retry", "tiny.yaml", "--dry-run")
    assert code == 0
    assert f"would try again: {train.label} (" in said and "try 1: error)" in said
    assert "it failed with: ValueError: boom" in said and "more to do" in said
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before
