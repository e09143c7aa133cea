"""What running says, above all of a cluster, its budget and its jobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from verbs import SLURM, Said, stages

from harness.dispatch.ledger import Ledger
from harness.plan import make_plan
from harness.spec import load_study


def test_without_sbatch_it_says_where_to_go(
    verb: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, said = verb("run", "tiny.yaml", *SLURM)
    assert code == 2
    assert "tiny (laptop) cannot start" in said and "sbatch is not on the PATH" in said
    assert "login node" in said and "--executor local" in said
    assert not (tmp_path / "results" / "attempts").exists()


@pytest.mark.slow
def test_a_budget_is_kept_to_unless_told_otherwise(verb: Said, slurm: Path) -> None:
    budget = ("--set", "dispatch.gpu_hours=1", "--set", "dispatch.slurm.minutes=60")
    code, said = verb("run", "tiny.yaml", *SLURM, *budget, "--detach")
    assert code == 2
    assert "may take 12.5 GPU-hours, its budget is 1.0" in said  # evaluations share tasks
    assert "Nothing was started" in said and "--allow-over-budget" in said
    assert not (slurm / "jobs").exists()
    code, said = verb("run", "tiny.yaml", *SLURM, *budget, "--detach", "--allow-over-budget")
    assert code == 0 and "18 stages are queued or running" in said
    assert "not submitted" not in said
    assert "harness status tiny.yaml" in said and "harness cancel tiny.yaml" in said
    assert (slurm / "jobs").exists()


@pytest.mark.slow
def test_a_refusal_for_now_is_not_told_as_a_submission(
    verb: Said, slurm: Path, study: Path
) -> None:
    sbatch = (slurm / "sbatch").read_text()
    (slurm / "sbatch").write_text("#!/bin/sh\necho 'QOSMaxSubmitJobPerUserLimit' >&2; exit 1\n")
    words = ("--detach", "--allow-over-budget", "--only", "train", "--skip", "*B/8*")
    code, said = verb("run", "tiny.yaml", *SLURM, *words)
    assert code == 3
    assert "nothing is queued or running; 4 stages are not submitted yet" in said
    assert "tried again" not in said and "`run` tries again every 20 s" in said
    (line,) = [x for x in said.splitlines() if x.startswith("  return:")]
    assert line.endswith("--only train --skip '*B/8*' --allow-over-budget")
    code, said = verb("status", "tiny.yaml", *SLURM[2:])
    assert code == 0 and "lost" not in said
    (slurm / "sbatch").write_text(sbatch)
    code, said = verb("run", "tiny.yaml", *SLURM, *words)
    assert code == 0 and "4 stages are queued or running" in said


@pytest.mark.slow
def test_parts_of_a_study_share_its_budget(verb: Said, slurm: Path, study: Path) -> None:
    budget = ("--set", "dispatch.gpu_hours=4.5", "--set", "dispatch.slurm.minutes=60", "--detach")
    code, said = verb("run", "tiny.yaml", *SLURM, *budget, "--only", "train", "--skip", "*B/8*")
    assert code == 0 and "4 stages are queued or running" in said  # at most 3 hours, and a count
    code, said = verb("run", "tiny.yaml", *SLURM, *budget, "--only", "train", "--skip", "*S/8*")
    assert code == 2 and "may take 5.0 GPU-hours, its budget is 4.5" in said
    ledger = Ledger(study.parent / "results")
    train = ledger.last(stages(study, "train")[0].key)
    assert train is not None
    ledger.end(replace(train, ran=7200.0), "stopped", "stopped", "cancelled")
    code, said = verb("run", "tiny.yaml", *SLURM, *budget, "--only", "train", "--skip", "*S/8*")
    assert code == 2 and "2.0 spent on attempts that failed or were stopped" in said


def test_what_failed_attempts_took_is_in_the_budget(verb: Said, slurm: Path, study: Path) -> None:
    ledger = Ledger(study.parent / "results")
    train = stages(study, "train")[0]
    attempt = ledger.begin(train.key, "train", train.label, "harness-train-1", 0)
    ledger.end(replace(attempt, ran=90 * 3600.0), "again", "node failure", "its node went down")
    budget = ("--set", "dispatch.gpu_hours=100", "--set", "dispatch.slurm.minutes=60")
    code, said = verb("run", "tiny.yaml", *SLURM, *budget, "--detach")
    assert code == 2
    assert "90.0 spent on attempts that failed or were stopped" in said
    code, said = verb("status", "tiny.yaml", *SLURM[2:])
    assert "GPU-hours: 0.0 by stages that are done, 90.0 by attempts that failed" in said


@pytest.mark.slow
def test_a_study_edited_while_its_jobs_run_names_the_old_ones_and_mixes_nothing(
    verb: Said, slurm: Path, study: Path
) -> None:
    code, _ = verb("run", "tiny.yaml", *SLURM, "--detach")
    assert code == 0
    before = (slurm / "jobs").read_text()
    study.write_text(study.read_text().replace("learning_rate: 1e-3", "learning_rate: 2e-3"))
    edited = "12 jobs do stages that this study no longer has (it was edited since)"
    code, said = verb("status", "tiny.yaml", *SLURM[2:])
    assert code == 0
    assert edited in said and "results are kept apart" in said and "scancel 10" in said
    assert "train              4        -        -        -        -        -        4" in said
    assert "complexity         2        -        -        2" in said  # those are the same
    code, said = verb("run", "tiny.yaml", *SLURM, "--detach")
    assert code == 0 and edited in said
    assert "18 stages are queued or running" in said
    after = (slurm / "jobs").read_text()
    assert after.startswith(before)
    assert len(after.splitlines()) == len(before.splitlines()) + 12  # nothing twice


@pytest.mark.slow
def test_jobs_of_another_variant_of_the_study_are_named_as_such_and_left_alone(
    verb: Said, slurm: Path
) -> None:
    other = ("--set", "train.learning_rate=2e-3")
    assert verb("run", "tiny.yaml", *SLURM, *other, "--detach")[0] == 0
    code, said = verb("status", "tiny.yaml")
    assert code == 0
    assert (
        "12 jobs do stages of this study under --profile laptop --set train.learning_rate=2e-3, "
        "which are not part of it under this one" in said
    )
    assert "scancel" not in said and "edited" not in said
    code, said = verb("status", "tiny.yaml", *other)  # how stages run does not matter
    assert code == 0 and "jobs do stages" not in said


@pytest.mark.slow
def test_a_local_run_does_not_do_beside_slurm_what_is_queued_there(
    verb: Said, slurm: Path, study: Path
) -> None:
    verb("run", "tiny.yaml", *SLURM, "--detach")
    code, said = verb("run", "tiny.yaml", "--executor", "local")
    assert code == 2
    assert "18 stages of tiny were given to SLURM and are not over there" in said
    assert "--executor slurm" in said and "harness cancel" in said
    assert not Ledger(study.parent / "results").drivers()
    (slurm / "jobs").unlink()  # SLURM has lost them all
    code, said = verb("cancel", "tiny.yaml")
    assert code == 0 and "cancelled 0 stages on SLURM" in said
    ledger = Ledger(study.parent / "results")
    assert {a.state for a in ledger.latest(make_plan(load_study(study)).stages).values()} == {
        "lost"
    }
