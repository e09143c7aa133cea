"""SLURM as a component."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.dispatch.slurm import component
from harness.dispatch.slurm.component import Slurm
from harness.dispatch.slurm.jobs import SlurmJobs
from harness.spec import load_study


def test_its_stages_outlive_the_driver(tmp_path: Path) -> None:
    study = load_study("studies/scaling.yaml", "imagenet256")
    assert Slurm().policy == "queue" and Slurm().title == "SLURM"
    assert isinstance(Slurm().open(tmp_path, study), SlurmJobs)


def test_without_sbatch_it_says_where_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    study = load_study("studies/scaling.yaml", "imagenet256")
    monkeypatch.setattr(component.shutil, "which", lambda _: None)
    (said,) = Slurm().check(study)
    assert "sbatch is not on the PATH" in said and "--executor local" in said
    assert not Slurm().reachable()
    monkeypatch.setattr(component.shutil, "which", lambda name: f"/bin/{name}")
    assert Slurm().check(study) == [] and Slurm().reachable()


def test_a_results_folder_with_a_line_break_is_refused_by_plan_and_before_anything_is_done(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(study.parent)
    monkeypatch.setattr(component.shutil, "which", lambda name: f"/bin/{name}")
    said = f"line break in its path: {str(study.parent / 'a')!r}"[:-1] + "\\nb'"
    slurm = ("--set", "dispatch.executor=slurm", "--results", "a\nb")
    assert main(["plan", study.name, *slurm]) == 0
    assert said in capsys.readouterr().out
    assert main(["run", study.name, *slurm]) == 2
    assert said in capsys.readouterr().err and not Path("a\nb").exists()
    assert Slurm().check_results(study.parent / "a b") == []


def test_what_a_stage_takes_is_what_the_study_says_of_its_kind() -> None:
    study = load_study(
        "studies/scaling.yaml",
        "imagenet256",
        ["dispatch.slurm.nodes=2", "dispatch.slurm.gpus_per_node=4", "dispatch.slurm.minutes=90"],
    )
    share = Slurm().share(study, "train")
    settings = study.settings.dispatch.slurm_for("train")
    assert share.devices == settings.nodes * settings.gpus_per_node
    assert share.processes == Slurm().processes(study, "train") == 2 * settings.processes("train")
    assert share.minutes == settings.minutes and share.stages >= 1


def test_what_a_job_printed_is_found_by_batch_and_index(tmp_path: Path) -> None:
    folder = tmp_path / "slurm" / "batch"
    folder.mkdir(parents=True)
    (folder / "77_1_0_log.err").write_text("")
    (folder / "77_10_0_log.err").write_text("another")
    assert Slurm().printed(tmp_path, "batch", 1) is None, "nothing was printed"
    (folder / "78_1_0_log.err").write_text("oh")
    assert Slurm().printed(tmp_path, "batch", 1) == folder / "78_1_0_log.err"
