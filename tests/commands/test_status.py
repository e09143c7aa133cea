"""`status`: who drives, how far it is, what waits for what, what failed; nothing is changed."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from verbs import SLURM, Said, stages, tried

from harness.plan.plan import Plan


def test_status_tells_who_drives_how_far_and_what_waits_for_what(verb: Said, study: Path) -> None:
    root = study.parent / "results"
    train, other = stages(study, "train")[0], stages(study, "train")[2]
    ledger, _ = tried(root, train, "step 5\n")
    ledger.register("tiny", "laptop")
    ledger.claim(train.key)
    progress = {"done": 1500, "total": 3000, "unit": "steps", "loss": 0.25, "left_s": 75.0}
    ledger.tell({train.key: progress})
    _, failing = tried(root, other, "".join(f"line {i}\n" for i in range(30)))
    ledger.end(failing, "failed", "killed", "its worker was killed by SIGKILL")
    code, said = verb("status", "tiny.yaml")
    assert code == 1
    assert f"driven by process {os.getpid()} on" in said
    assert (
        f"running: {train.label}: 1,500 of 3,000 steps, about 1 min 15 s left, loss 0.250, for "
    ) in said
    assert "failed: 1 killed" in said and f"failed: {other.label}" in said
    assert "| line 29" in said and "| line 1\n" not in said
    assert "try again: python -m harness run tiny.yaml" in said
    assert "behind stages that failed" in said and "behind stages that are not done" in said
    assert "ready, and start when there is room" in said
    assert "nothing of it runs now" not in said
    document = json.loads(verb("status", "tiny.yaml", "--json")[1])
    assert document["running"][0]["progress"] == progress
    assert document["drivers"][0]["pid"] == os.getpid()
    assert document["runs"][0]["running"] + document["runs"][1]["running"] == 1
    ledger.leave()
    code, said = verb("status", "tiny.yaml")
    assert code == 1 and "nothing of it runs now; go on with: python -m harness run tiny" in said
    assert "lost: its driver died before it ended" in said


@pytest.mark.parametrize("name", ["status", "cancel", "report"])
def test_a_results_folder_that_is_not_there_is_named(name: str, verb: Said, study: Path) -> None:
    """A mistyped --results looked as a study that nobody has begun."""
    _, said = verb(name, "tiny.yaml", "--results", "reslts")
    assert "note: results folder reslts is not there: nothing was run yet" in said
    assert not (study.parent / "reslts").exists()


@pytest.mark.slow
def test_status_says_which_records_it_wrote_again(done: Plan, verb: Said) -> None:
    """A number without a record is shown by every reader, and what was repaired is named."""
    shutil.rmtree(Path("results") / "records" / "metrics")
    code, said = verb("status", "tiny.yaml")
    assert code == 0 and "records of table 'metrics' were missing: written again" in said
    assert "written again" not in verb("status", "tiny.yaml")[1]


@pytest.mark.slow
def test_stages_whose_time_is_not_known_are_counted(done: Plan, verb: Said) -> None:
    """Done elsewhere, and merged or imported without the attempt that did them."""
    first, *others = done.stages.values()
    ledger, attempt = tried(Path("results"), first)
    ledger.end(attempt, "done", at=attempt.started + 65)
    code, said = verb("status", "tiny.yaml")
    known = f"by stages that are done (the time of {len(others)} of them is not known here)"
    assert code == 0 and f"time taken: 1 min 05 s {known}" in said
    assert json.loads(verb("status", "tiny.yaml", "--json")[1])["spent"]["untimed"] == len(others)
    for stage in others:
        ledger, attempt = tried(Path("results"), stage)
        ledger.end(attempt, "done", at=attempt.started)
    assert "time taken: 1 min 05 s by stages that are done\n" in verb("status", "tiny.yaml")[1]


def test_many_failures_of_one_cause_are_told_once(verb: Said, study: Path) -> None:
    for stage in stages(study, "train"):
        ledger, attempt = tried(study.parent / "results", stage, "FileNotFoundError\n")
        ledger.end(attempt, "failed", "bad input", "no images in data/")
    code, said = verb("status", "tiny.yaml")
    assert code == 1 and "failed: 4 bad input" in said
    assert said.count("no images in data/") == 1
    assert "the same of 3 other stages: train DiT-micro" in said


@pytest.mark.slow
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


def test_watching_ends_when_nothing_can_change_any_more(verb: Said, study: Path) -> None:
    ledger, attempt = tried(study.parent / "results", stages(study, "train")[0])
    ledger.end(attempt, "failed", "error", "boom")
    code, said = verb("status", "tiny.yaml", "--watch")
    assert code == 1 and "nothing of it runs now" in said


@pytest.mark.slow
def test_looking_at_jobs_changes_nothing(verb: Said, slurm: Path, study: Path) -> None:
    verb("run", "tiny.yaml", *SLURM, "--detach")

    def everything() -> dict[str, tuple[int, int]]:
        found = sorted((study.parent / "results").rglob("*"))
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in found}

    before = everything()
    for words in (["status"], ["status", "--json"], ["plan"], ["plan", "--stages"]):
        assert verb(words[0], "tiny.yaml", *words[1:], *SLURM[2:])[0] == 0
    assert verb("logs", "train", "tiny.yaml")[0] == 0
    assert everything() == before
