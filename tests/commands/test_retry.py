"""`retry`: what failed is tried again, and nothing else."""

from __future__ import annotations

from pathlib import Path

from verbs import Said, stages, tried


def test_retrying_what_has_not_failed_starts_nothing(verb: Said, study: Path) -> None:
    code, said = verb("retry", "tiny.yaml", "--stage", "train")
    assert code == 0
    assert "none of the 4 stages that match has failed; nothing was started" in said
    assert "harness run tiny.yaml" in said
    assert not (study.parent / "results").exists()


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
