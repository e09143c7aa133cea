"""What running, watching, cancelling and retrying say, above all when something is wrong."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import main
from harness.dispatch.claims import Owner
from harness.dispatch.ledger import Attempt, Ledger
from harness.plan import make_plan
from harness.plan.plan import Stage
from harness.spec import load_study

Said = Callable[..., tuple[int, str]]
SLURM = ("--executor", "slurm", "--set", "dispatch.slurm.gpus_per_node=1")
SBATCH = """\
#!/bin/sh
name=$(sed -n 's/^#SBATCH --job-name=//p' "$2")
size=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$2")
job=$(( $(cat {0}/count 2>/dev/null || echo 100) + 1 ))
echo $job > {0}/count
for i in $(seq 0 $size); do echo "$name|$job|$i|PENDING|1:00|0:00|Priority" >> {0}/jobs; done
echo $job
"""


@pytest.fixture
def harness(
    study: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Said:
    """harness("status", "tiny.yaml") in this process: its exit code, and all that it said."""
    monkeypatch.chdir(study.parent)

    def call(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main(arguments)
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return code, said.out + said.err

    return call


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SLURM's commands, pretended: jobs are queued and stay so. Its folder."""
    folder = tmp_path / "slurm-commands"
    folder.mkdir()
    scripts = {
        "sbatch": SBATCH.format(folder),
        "squeue": f"#!/bin/sh\ncat {folder}/jobs 2>/dev/null || true\n",
        "scontrol": "#!/bin/sh\nexit 0\n",
        "sacct": "#!/bin/sh\nexit 1\n",
        "scancel": f'#!/bin/sh\necho "$@" >> {folder}/cancelled\n',
    }
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def cancelled(slurm: Path) -> list[str]:
    """The job ids that scancel was given, each with its name."""
    lines = [line.split() for line in (slurm / "cancelled").read_text().splitlines()]
    assert all(words[0].startswith("--name=harness-") for words in lines)
    return [job for words in lines for job in words[1:]]


def stages(study: Path, kind: str) -> list[Stage]:
    return [s for s in make_plan(load_study(study)).stages.values() if s.kind == kind]


def tried(root: Path, stage: Stage, log: str = "") -> tuple[Ledger, Attempt]:
    """An attempt at a stage, as a driver writes it down."""
    ledger = Ledger(root)
    attempt = ledger.begin(stage.key, stage.kind, stage.label)
    Path(attempt.log).parent.mkdir(parents=True, exist_ok=True)
    Path(attempt.log).write_text(log)
    return ledger, attempt


def test_without_sbatch_it_says_where_to_go(
    harness: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, said = harness("run", "tiny.yaml", *SLURM)
    assert code == 2
    assert "tiny (laptop) cannot start" in said and "sbatch is not on the PATH" in said
    assert "login node" in said and "--executor local" in said
    assert not (tmp_path / "results" / "attempts").exists()


def test_a_budget_is_kept_to_unless_told_otherwise(harness: Said, slurm: Path) -> None:
    budget = ("--set", "dispatch.gpu_hours=1", "--set", "dispatch.slurm.minutes=60")
    code, said = harness("run", "tiny.yaml", *SLURM, *budget, "--detach")
    assert code == 2
    assert "may take 10.5 GPU-hours, its budget is 1.0" in said  # evaluations share tasks
    assert "Nothing was started" in said and "--allow-over-budget" in said
    assert not (slurm / "jobs").exists()
    code, said = harness("run", "tiny.yaml", *SLURM, *budget, "--detach", "--allow-over-budget")
    assert code == 0 and "16 stages are queued or running" in said
    assert "harness status tiny.yaml" in said and "harness cancel tiny.yaml" in said
    assert (slurm / "jobs").exists()


def test_a_refusal_for_now_is_not_told_as_a_submission(
    harness: Said, slurm: Path, study: Path
) -> None:
    sbatch = (slurm / "sbatch").read_text()
    (slurm / "sbatch").write_text("#!/bin/sh\necho 'QOSMaxSubmitJobPerUserLimit' >&2; exit 1\n")
    words = ("--detach", "--allow-over-budget", "--only", "train", "--skip", "*B/8*")
    code, said = harness("run", "tiny.yaml", *SLURM, *words)
    assert code == 3
    assert "0 stages are queued or running" in said and "4 are not submitted yet" in said
    assert "tried again" not in said and "`run` tries again every 20 s" in said
    (line,) = [x for x in said.splitlines() if x.startswith("  return:")]
    assert line.endswith("--only train --skip '*B/8*' --allow-over-budget")
    code, said = harness("status", "tiny.yaml", *SLURM[2:])
    assert code == 0 and "lost" not in said
    (slurm / "sbatch").write_text(sbatch)
    code, said = harness("run", "tiny.yaml", *SLURM, *words)
    assert code == 0 and "4 stages are queued or running" in said


def test_parts_of_a_study_share_its_budget(harness: Said, slurm: Path, study: Path) -> None:
    budget = ("--set", "dispatch.gpu_hours=4.5", "--set", "dispatch.slurm.minutes=60", "--detach")
    code, said = harness("run", "tiny.yaml", *SLURM, *budget, "--only", "train", "--skip", "*B/8*")
    assert code == 0 and "4 stages are queued or running" in said  # at most 3 hours, and a count
    code, said = harness("run", "tiny.yaml", *SLURM, *budget, "--only", "train", "--skip", "*S/8*")
    assert code == 2 and "may take 5.0 GPU-hours, its budget is 4.5" in said
    ledger = Ledger(study.parent / "results")
    train = ledger.last(stages(study, "train")[0].key)
    assert train is not None
    ledger.end(replace(train, ran=7200.0), "stopped", "stopped", "cancelled")
    code, said = harness("run", "tiny.yaml", *SLURM, *budget, "--only", "train", "--skip", "*S/8*")
    assert code == 2 and "2.0 spent on attempts that failed or were stopped" in said


def test_what_failed_attempts_took_is_in_the_budget(
    harness: Said, slurm: Path, study: Path
) -> None:
    ledger = Ledger(study.parent / "results")
    train = stages(study, "train")[0]
    attempt = ledger.begin(train.key, "train", train.label, "harness-train-1", 0)
    ledger.end(replace(attempt, ran=90 * 3600.0), "again", "node failure", "its node went down")
    budget = ("--set", "dispatch.gpu_hours=100", "--set", "dispatch.slurm.minutes=60")
    code, said = harness("run", "tiny.yaml", *SLURM, *budget, "--detach")
    assert code == 2
    assert "90.0 spent on attempts that failed or were stopped" in said
    code, said = harness("status", "tiny.yaml", *SLURM[2:])
    assert "GPU-hours: 0.0 by stages that are done, 90.0 by attempts that failed" in said


def test_an_unknown_sbatch_parameter_is_refused_with_the_valid_ones(harness: Said) -> None:
    code, said = harness("run", "tiny.yaml", "--set", "dispatch.slurm.extra.reservatoin=x")
    assert code == 2
    assert "unknown sbatch parameter 'reservatoin'" in said
    assert "reservation" in said and "licenses" in said
    code, said = harness("run", "tiny.yaml", "--set", "dispatch.slurm.partitoin=x")
    assert code == 2 and "did you mean 'partition'" in said and "array_parallelism" in said


@pytest.mark.parametrize(
    "words",
    [
        ["cancel", "tiny.yaml", "trian"],
        ["cancel", "tiny.yaml", "train", "trian"],
        ["logs", "trian", "tiny.yaml"],
        ["retry", "tiny.yaml", "--stage", "trian"],
    ],
    ids=["cancel", "cancel two", "logs", "retry"],
)
def test_an_unknown_stage_is_named_and_nothing_is_started(
    harness: Said, words: list[str], study: Path
) -> None:
    code, said = harness(*words)
    assert code == 2
    assert "no stage of tiny matches 'trian'" in said
    assert "plan tiny.yaml --stages" in said
    assert not (study.parent / "results").exists()


def test_retrying_what_has_not_failed_starts_nothing(harness: Said, study: Path) -> None:
    code, said = harness("retry", "tiny.yaml", "--stage", "train")
    assert code == 0
    assert "none of the 4 stages that match has failed; nothing was started" in said
    assert "harness run tiny.yaml" in said
    assert not (study.parent / "results").exists()


def test_logs_of_what_never_ran_say_so(harness: Said) -> None:
    code, said = harness("logs", "train", "tiny.yaml")
    assert code == 2 and "4 stages match 'train', and none of them was started yet" in said


def test_options_may_stand_between_the_words(harness: Said, study: Path) -> None:
    for words in (
        ["cancel", "tiny.yaml", "--profile", "laptop", "train"],
        ["cancel", "--results", "elsewhere", "tiny.yaml", "train", "--profile", "laptop", "sample"],
    ):
        assert harness(*words) == (0, "none of these stages is running\n")
    tried(study.parent / "results", stages(study, "train")[0], "step 1\nstep 2\n")
    code, said = harness("logs", "train", "--lines", "1", "tiny.yaml")
    assert code == 0 and "step 2" in said and "step 1" not in said
    code, said = harness("cancel", "tiny.yaml", "--profil", "x", "train", "--bogus")
    assert code == 2 and "--bogus" in said


def test_a_study_edited_while_its_jobs_run_names_the_old_ones_and_mixes_nothing(
    harness: Said, slurm: Path, study: Path
) -> None:
    code, _ = harness("run", "tiny.yaml", *SLURM, "--detach")
    assert code == 0
    before = (slurm / "jobs").read_text()
    study.write_text(study.read_text().replace("learning_rate: 1e-3", "learning_rate: 2e-3"))
    edited = "12 jobs do stages that this study no longer has (it was edited since)"
    code, said = harness("status", "tiny.yaml", *SLURM[2:])
    assert code == 0
    assert edited in said and "results are kept apart" in said and "scancel 10" in said
    assert "train              4        -        -        -        -        -        4" in said
    assert "complexity         2        -        -        2" in said  # those are the same
    code, said = harness("run", "tiny.yaml", *SLURM, "--detach")
    assert code == 0 and edited in said
    assert "16 stages are queued or running" in said
    after = (slurm / "jobs").read_text()
    assert after.startswith(before)
    assert len(after.splitlines()) == len(before.splitlines()) + 12  # nothing twice


def test_jobs_of_another_variant_of_the_study_are_named_as_such_and_left_alone(
    harness: Said, slurm: Path
) -> None:
    other = ("--set", "train.learning_rate=2e-3")
    assert harness("run", "tiny.yaml", *SLURM, *other, "--detach")[0] == 0
    code, said = harness("status", "tiny.yaml")
    assert code == 0
    assert (
        "12 jobs do stages of this study under --profile laptop --set train.learning_rate=2e-3, "
        "which are not part of it under this one" in said
    )
    assert "scancel" not in said and "edited" not in said
    code, said = harness("status", "tiny.yaml", *other)  # how stages run does not matter
    assert code == 0 and "jobs do stages" not in said


def test_cancel_asks_slurm_and_the_ledger_and_run_can_go_on(
    harness: Said, slurm: Path, study: Path
) -> None:
    harness("run", "tiny.yaml", *SLURM, "--detach")
    code, said = harness("cancel", "tiny.yaml", *SLURM[2:], "train")
    assert code == 0 and "cancelled 4 stages on SLURM (4 jobs ended)" in said
    assert len(cancelled(slurm)) == 4
    ledger = Ledger(study.parent / "results")
    assert {a.state for s in stages(study, "train") for a in ledger.attempts(s.key)} == {"stopped"}
    code, said = harness("status", "tiny.yaml", *SLURM[2:])
    assert "waiting: 4 stages: stopped: cancelled by `harness cancel`" in said


def test_cancelling_one_stage_of_a_task_leaves_those_beside_it_alone(
    harness: Said, slurm: Path, study: Path
) -> None:
    more = (*SLURM, "--set", "dispatch.slurm.pack=8")
    harness("run", "tiny.yaml", *more, "--detach")
    first = stages(study, "train")[0]
    code, said = harness("cancel", "tiny.yaml", *more[2:], first.key)
    assert code == 0
    assert "cancelled 1 stage on SLURM (0 jobs ended, 1 goes on with other stages)" in said
    assert not (slurm / "cancelled").exists()
    ledger = Ledger(study.parent / "results")
    last = {s.key: a for s in stages(study, "train") if (a := ledger.last(s.key)) is not None}
    assert last.pop(first.key).state == "stopped"
    assert {a.state for a in last.values()} == {"running"}
    code, said = harness("cancel", "tiny.yaml", *more[2:], *last)
    assert code == 0 and "cancelled 3 stages on SLURM (2 jobs ended)" in said
    assert len(cancelled(slurm)) == 2  # tasks of two stages each


def test_cancelling_one_local_stage_leaves_its_driver_alone(harness: Said, study: Path) -> None:
    root = study.parent / "results"
    first, second = stages(study, "train")[:2]
    for stage in (first, second):
        ledger, _ = tried(root, stage)
        assert ledger.claim(stage.key)
    code, said = harness("cancel", "tiny.yaml", first.key[:10])
    assert code == 0 and "1 stage asked to save and stop; their driver goes on" in said
    states = [Ledger(root).last(s.key).state for s in (first, second)]  # type: ignore[union-attr]
    assert states == ["stopped", "running"]


def test_status_tells_who_drives_how_far_and_what_waits_for_what(
    harness: Said, study: Path
) -> None:
    root = study.parent / "results"
    train, other = stages(study, "train")[0], stages(study, "train")[2]
    ledger, _ = tried(root, train, "step 5\n")
    ledger.register("tiny", "laptop")
    ledger.claim(train.key)
    progress = {"done": 1500, "total": 3000, "unit": "steps", "loss": 0.25, "left_s": 75.0}
    ledger.tell({train.key: progress})
    _, failing = tried(root, other, "".join(f"line {i}\n" for i in range(30)))
    ledger.end(failing, "failed", "killed", "its worker was killed by SIGKILL")
    code, said = harness("status", "tiny.yaml")
    assert code == 1
    assert f"driven by process {os.getpid()} on" in said
    assert (
        f"running: {train.label}: 1,500 of 3,000 steps, about 1 min 15 s left, loss 0.250, for "
    ) in said
    assert "failed: 1 killed" in said and f"failed: {other.label}" in said
    assert "| line 29" in said and "| line 1\n" not in said
    assert "try again: python -m harness retry tiny.yaml" in said
    assert "behind stages that failed" in said and "behind stages that are not done" in said
    assert "ready, and start when there is room" in said
    assert "nothing of it runs now" not in said
    document = json.loads(harness("status", "tiny.yaml", "--json")[1])
    assert document["running"][0]["progress"] == progress
    assert document["drivers"][0]["pid"] == os.getpid()
    assert document["runs"][0]["running"] + document["runs"][1]["running"] == 1
    ledger.leave()
    code, said = harness("status", "tiny.yaml")
    assert code == 1 and "nothing of it runs now; go on with: python -m harness run tiny" in said
    assert "lost: its driver died before it ended" in said


def test_many_failures_of_one_cause_are_told_once(harness: Said, study: Path) -> None:
    for stage in stages(study, "train"):
        ledger, attempt = tried(study.parent / "results", stage, "FileNotFoundError\n")
        ledger.end(attempt, "failed", "bad input", "no images in data/")
    code, said = harness("status", "tiny.yaml")
    assert code == 1 and "failed: 4 bad input" in said
    assert said.count("no images in data/") == 1
    assert "the same of 3 other stages: train DiT-micro" in said


def test_an_unreadable_or_missing_log_is_said(harness: Said, study: Path) -> None:
    ledger, attempt = tried(study.parent / "results", stages(study, "train")[0])
    Path(attempt.log).unlink()
    ledger.end(attempt, "failed", "error", "ValueError: boom")
    code, said = harness("logs", "train", "tiny.yaml")
    assert code == 0 and "failed (error): ValueError: boom" in said and "(no log)" in said


def test_all_attempts_have_their_logs(harness: Said, study: Path) -> None:
    stage = stages(study, "train")[0]
    ledger, attempt = tried(study.parent / "results", stage, "the first\n")
    ledger.end(attempt, "again", "node failure", "its node went down")
    tried(study.parent / "results", stage, "the second\n")
    code, said = harness("logs", "train", "tiny.yaml")
    assert "the second" in said and "the first" not in said
    code, said = harness("logs", "train", "tiny.yaml", "--all")
    assert code == 0 and said.index("the first") < said.index("the second")
    assert "failed (node failure): its node went down" in said


@pytest.mark.parametrize("columns", [80, 200])
def test_status_fits_the_terminal_and_is_whole_in_a_file(study: Path, columns: int) -> None:
    root = study.parent / "results"
    train = stages(study, "train")[0]
    ledger, _ = tried(root, train)
    ledger.claim(train.key)
    progress = {"done": 1500, "total": 3000, "unit": "steps", "loss": 0.25, "left_s": 75.0}
    ledger.tell({train.key: {**progress, "images_per_second": 12345.6}})
    words = [sys.executable, "-m", "harness", "status", "tiny.yaml"]
    whole = subprocess.run(words, cwd=study.parent, capture_output=True, text=True, check=True)
    (line,) = [x for x in whole.stdout.splitlines() if x.startswith("running:")]
    assert 80 < len(line) < 200 and "12,346 images/s" in line
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen(words, cwd=study.parent, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 1 << 16):
                shown += data
        except OSError:  # the other side is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    lines = shown.decode().replace("\r", "").splitlines()
    assert max(map(len, lines)) <= columns
    (line,) = [x for x in lines if x.startswith("running:")]
    assert line.endswith("…") == (columns == 80)


def test_watching_ends_when_nothing_can_change_any_more(harness: Said, study: Path) -> None:
    ledger, attempt = tried(study.parent / "results", stages(study, "train")[0])
    ledger.end(attempt, "failed", "error", "boom")
    code, said = harness("status", "tiny.yaml", "--watch")
    assert code == 1 and "nothing of it runs now" in said


def test_another_machines_driver_is_named_not_killed(
    harness: Said, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(study.parent / "results")
    ledger.owner = Owner("far-away", os.getpid(), "1")
    ledger.register("tiny", "laptop")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it killed a process of its own"))
    code, said = harness("cancel", "tiny.yaml")
    assert code == 0 and f"process {os.getpid()} on far-away drives this study too" in said


def test_a_local_run_does_not_do_beside_slurm_what_is_queued_there(
    harness: Said, slurm: Path, study: Path
) -> None:
    harness("run", "tiny.yaml", *SLURM, "--detach")
    code, said = harness("run", "tiny.yaml", "--executor", "local")
    assert code == 2
    assert "16 stages of tiny were given to SLURM and are not over there" in said
    assert "--executor slurm" in said and "harness cancel" in said
    assert not Ledger(study.parent / "results").drivers()
    (slurm / "jobs").unlink()  # SLURM has lost them all
    code, said = harness("cancel", "tiny.yaml")
    assert code == 0 and "cancelled 0 stages on SLURM" in said
    ledger = Ledger(study.parent / "results")
    assert {a.state for a in ledger.latest(make_plan(load_study(study)).stages).values()} == {
        "lost"
    }


def test_logs_of_what_slurm_has_not_begun_say_that_it_is_queued_and_why(
    harness: Said, slurm: Path, study: Path
) -> None:
    harness("run", "tiny.yaml", *SLURM, "--detach")
    code, said = harness("logs", "train", "tiny.yaml")
    assert code == 0
    assert said.count("(it is queued: no log yet; pending: Priority)") == 4


def test_a_job_that_failed_outside_its_stages_is_told_with_what_it_printed(
    harness: Said, slurm: Path, study: Path
) -> None:
    """As one that was given no environment, or that found no venv on its node."""
    harness("run", "tiny.yaml", *SLURM, "--detach")
    jobs = (slurm / "jobs").read_text()
    name, job = next(x for x in jobs.splitlines() if "-complexity-" in x).split("|")[:2]
    cause = "ModuleNotFoundError: No module named 'harness'"
    folder = study.parent / "results" / "slurm" / name
    (folder / f"{job}_0_0_log.err").write_text(f"{cause}\n")
    ended = jobs.replace(f"{name}|{job}|0|PENDING", f"{name}|{job}|0|FAILED")
    (slurm / "jobs").write_text(ended)
    about = "ArrayTaskId=0 JobState=FAILED Reason=NonZeroExitCode ExitCode=1:0"
    (slurm / "scontrol").write_text(f"#!/bin/sh\necho '{about}'\n")
    for words in (["status", "tiny.yaml", *SLURM[2:]], ["logs", "complexity", "tiny.yaml"]):
        code, said = harness(*words)
        assert code == 0 and f"{folder}/{job}_0_0_log.err: {cause}" in said
    assert f"\n{cause}\n" in said and "queued" not in said


def test_looking_at_jobs_changes_nothing(harness: Said, slurm: Path, study: Path) -> None:
    harness("run", "tiny.yaml", *SLURM, "--detach")

    def everything() -> dict[str, tuple[int, int]]:
        found = sorted((study.parent / "results").rglob("*"))
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in found}

    before = everything()
    for words in (["status"], ["status", "--json"], ["plan"], ["plan", "--stages"]):
        assert harness(words[0], "tiny.yaml", *words[1:], *SLURM[2:])[0] == 0
    assert harness("logs", "train", "tiny.yaml")[0] == 0
    assert everything() == before
