"""An attempt as people read it: its cause, its log or what its job printed, the next command."""

from __future__ import annotations

from pathlib import Path

from harness.dispatch.attempt_words import describe, log_of, summary, when
from harness.dispatch.ledger import Ledger

KEY = "b" * 64


def test_a_failure_is_described_with_its_cause_log_and_retry(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    attempt = ledger.begin(KEY, "train", "train DiT-S/8 to 400")
    Path(attempt.log).parent.mkdir(parents=True)
    Path(attempt.log).write_text("".join(f"line {i}\n" for i in range(40)))
    ended = ledger.end(attempt, "failed", "error", "ValueError: boom")
    text = describe(ended, "python -m harness retry studies/x.yaml")
    assert "failed: train DiT-S/8 to 400" in text
    assert "ValueError: boom" in text
    assert "line 39" in text and "line 10" not in text
    assert attempt.log in text and "python -m harness retry studies/x.yaml" in text


def test_a_failure_outside_its_stage_is_described_with_what_its_job_printed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    attempt = ledger.begin(KEY, "train", "train DiT-S/8 to 400", "harness-train-1", 1)
    ended = ledger.end(attempt, "failed", "killed", "job 7_1 ended as FAILED")
    assert f"log: {attempt.log}" in describe(ended, "retry")
    folder = tmp_path / "slurm" / "harness-train-1"
    folder.mkdir(parents=True)
    (folder / "7_0_1_log.err").write_text("the other element's\n")
    (folder / "7_1_0_log.err").write_text("\0\0No module named 'harness'\n")
    text = describe(ended, "retry")
    assert "last lines of what its SLURM job printed:\n  | No module named 'harness'\n" in text
    assert f"log: {folder}/7_1_0_log.err" in text and "the other" not in text
    Path(attempt.log).parent.mkdir(parents=True)
    Path(attempt.log).write_text("step 1\n")
    assert "| step 1\n" in describe(ended, "retry")


def test_it_says_when_it_was_and_which_try(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.end(ledger.begin(KEY, "train", "train X"), "failed", "error", "boom")
    second = ledger.begin(KEY, "train", "train X")
    assert when(second).endswith(", try 2")
    assert log_of(second) == second.log, "no queue has it: nothing else printed"
    told = summary(second)
    assert told["state"] == "running" and "error" not in told and "batch" not in told
