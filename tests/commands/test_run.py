"""`run` as its users meet it: once, again, killed, failed, retried."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm
from in_process import here_alone
from kills import assert_same_records, workers_of
from slowness import slowness
from tiny_study import TINY, Harness
from verbs import Said

from harness import load_results
from harness.store import tables

RUN = [sys.executable, "-m", "harness", "run", "tiny.yaml"]
WARM_RUN = [warm.python(), *RUN[1:]]


# Tests that look at one run stay in one worker.
of_one_run = pytest.mark.xdist_group("one run")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the tiny study, run once in peace."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "tiny.yaml").write_text(TINY)
    done = subprocess.run(WARM_RUN, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@of_one_run
@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("--json",)], ids=["plain", "json"])
def test_what_was_done_since_the_stages_were_counted_is_told_once(
    undisturbed: Path, study: Path, verb: Said, monkeypatch: pytest.MonkeyPatch, how: tuple[str]
) -> None:
    """Jobs ended between the command's count and the driver's: a run said "0 done" alone."""
    results = study.parent / "results"

    def others_do_all(*_: object, **__: object) -> None:
        for part in ("artifacts", "records"):
            shutil.copytree(undisturbed / "results" / part, results / part, dirs_exist_ok=True)

    monkeypatch.setattr("harness.commands.run.merge", others_do_all)
    code, said = verb("run", "tiny.yaml", "--no-report", *how)
    assert code == 0, said
    total = len(list(results.glob("artifacts/*/*")))
    if how:
        events = [json.loads(line) for line in said.splitlines() if line[:1] == "{"]
        found = [e["finished"] for e in events if e["event"] == "found"]
        assert events[-1]["finished"] == events[-1]["total"] == total
    else:
        assert f"{total} stages, 0 done" in said
        found = [int(n) for n in re.findall(rf"\] (\d+)/{total} ", said)]
    assert found == list(range(1, total + 1))


@of_one_run
@pytest.mark.slow
def test_a_run_leaves_records_artifacts_and_a_report(undisturbed: Path) -> None:
    frames = load_results(undisturbed / "results")
    assert len(frames["runs"]) == 4  # two models, two milestones
    metrics = frames["metrics"]
    samples = metrics[metrics["of"] == "samples"]
    names = {f"{m}_glyphs_cnn" for m in ("fd", "sfd", "is", "precision", "recall")}
    assert set(samples["metric"]) == names
    assert not {"fid", "sfid", "inception_score"} & set(metrics["metric"])
    assert len(samples) == 4 * len(names)
    assert set(metrics[metrics["of"] == "floor"]["metric"]) == names
    for column in ("extractor_sha256", "reference_sha256", "data_sha256", "torch", "samples"):
        assert samples[column].notna().all(), column
    floors = metrics[metrics["of"] == "floor"].set_index("metric")["value"]
    assert (samples["floor"] == samples["metric"].map(floors)).all()
    assert (frames["training"].groupby("key")["step"].max().isin([3, 6])).all()
    assert (undisturbed / "reports" / "tiny.pdf").read_bytes().startswith(b"%PDF")


@of_one_run
@pytest.mark.slow
def test_the_same_command_again_finds_everything_done_in_five_seconds(undisturbed: Path) -> None:
    before = (undisturbed / "reports" / "tiny.pdf").stat().st_mtime
    earlier = resource.getrusage(resource.RUSAGE_CHILDREN)
    again = subprocess.run(RUN, cwd=undisturbed, capture_output=True, text=True, timeout=300)
    since = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = since.ru_utime + since.ru_stime - earlier.ru_utime - earlier.ru_stime
    assert again.returncode == 0, again.stderr
    assert "up to date" in again.stdout
    assert (undisturbed / "reports" / "tiny.pdf").stat().st_mtime == before
    assert spent < 5 * slowness()


@of_one_run
@pytest.mark.full  # drivers alone; test_random_kills kills these and workers in each change's run
def test_killed_at_random_moments_it_ends_with_the_same_records(
    undisturbed: Path, study: Path, harness: Harness
) -> None:
    generator = random.Random(int(os.environ.get("HARNESS_TEST_SEED", "7")))
    kills = 0
    for _ in range(4):
        process = subprocess.Popen(RUN, cwd=study.parent, stdout=subprocess.DEVNULL)
        try:
            process.wait(generator.uniform(1.0, 12.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills, "nothing was killed: the test proved nothing"
    assert workers_of(study.parent, wait_s=10) == [], "workers outlived their driver"
    done = harness("run", "tiny.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_records(undisturbed / "results", study.parent / "results")
    for table, identity in tables.IDENTITY.items():
        frame = load_results(study.parent / "results")[table]
        assert not frame.duplicated(list(identity)).any()


@of_one_run
@pytest.mark.slow
def test_two_drivers_together_do_each_stage_once(
    undisturbed: Path, study: Path, harness: Harness
) -> None:
    drivers = [
        subprocess.Popen(WARM_RUN, cwd=study.parent, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for driver in drivers:
        driver.communicate(timeout=300)
    assert [d.returncode for d in drivers] == [0, 0]
    assert_same_records(undisturbed / "results", study.parent / "results")
    for folder in (study.parent / "results" / "attempts").iterdir():
        done = [json.loads(p.read_text())["state"] for p in folder.glob("*.json")]
        assert done == ["done"], f"{folder.name}: {done}"


@pytest.mark.slow
def test_ctrl_c_saves_says_how_to_go_on_and_exits_130(study: Path, harness: Harness) -> None:
    process = subprocess.Popen(
        [*WARM_RUN, "--set", "train.steps=100000", "--set", "train.milestones=[100000]"],
        cwd=study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    attempts = study.parent / "results" / "scratch"
    until = time.monotonic() + 300
    logs = study.parent / "results" / "logs"
    while time.monotonic() < until:  # until training is under way
        texts = [p.read_text() for p in logs.glob("train-*/*.log")] if logs.exists() else []
        if any("step " in t for t in texts):
            break
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, out + err
    assert "go on with: python -m harness run tiny.yaml --set train.steps=100000" in err
    assert list(attempts.glob("*/step-*")), "no checkpoint was saved"


@pytest.mark.slow
def test_a_diverging_run_fails_with_a_diagnosis_and_leaves_no_number(
    study: Path, harness: Harness
) -> None:
    # a learning rate for one size only: the other model must go on
    text = study.read_text().replace(
        "    model.size: [S, B]\n    model.patch_size: [8]\n",
        "    model.size: [S]\n    model.patch_size: [8]\n"
        "  include:\n"
        "    - {model.size: B, model.patch_size: 8, train.learning_rate: 1000}\n",
    )
    study.write_text(text)
    failed = harness("run", "tiny.yaml")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    said = failed.stdout + failed.stderr
    assert re.search(r"failed: train DiT-micro-B/8.* to 3", said)
    assert "training diverged between steps" in said
    assert "try a smaller train.learning_rate" in said
    assert "try again: python -m harness run tiny.yaml" in said
    frames = load_results(study.parent / "results")
    assert set(frames["runs"]["model"]) == {"DiT-micro-S/8"}
    assert len(frames["runs"]) == 2
    status = harness("status", "tiny.yaml")
    assert status.returncode == 1
    assert "training diverged" in status.stdout and "log:" in status.stdout
    again = harness("run", "tiny.yaml")
    assert again.returncode == 1 and "diverged" in again.stdout
    assert re.search(
        r"1 stage failed before \(the last on [-0-9: ]+\): tried once more", again.stdout
    )
    assert re.search(r"failed: train DiT-micro-B/8.* to 3 \([-0-9: ]+, try 2\)", again.stdout)
    retried = harness("retry", "tiny.yaml")
    assert "1 failed stage is tried again" in retried.stdout and retried.returncode == 1
    logs = harness("logs", "train DiT-micro-B/8", "tiny.yaml")
    assert "TrainingDiverged" in logs.stdout


@pytest.mark.slow
def test_a_killed_worker_takes_down_its_stage_alone(study: Path, harness: Harness) -> None:
    process = subprocess.Popen(
        [
            *WARM_RUN,
            *("--set", "train.steps=1000000"),
            *("--set", "train.milestones=[1000000]"),
            *("--set", "evaluations.final.at=[1000000]"),
        ],
        cwd=study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    logs = study.parent / "results" / "logs"
    until = time.monotonic() + 300
    while time.monotonic() < until:
        found = list(logs.glob("train-*/*.log")) if logs.exists() else []
        if len(found) == 2 and all("step " in p.read_text() for p in found):
            break
        time.sleep(0.2)
    victim = next(iter(workers_of(study.parent)))
    os.kill(victim, signal.SIGKILL)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    assert "its worker was killed by SIGKILL" in out
    assert process.returncode in (1, 130)
    stopped = list((study.parent / "results" / "attempts").glob("*/*.json"))
    states = sorted(json.loads(p.read_text())["state"] for p in stopped if "train" in p.read_text())
    # one died, and waited for its next try or was at it; the other was told to stop
    assert "again" in states and "stopped" in states


@pytest.mark.slow
def test_the_digits_are_a_second_embedded_data_set(
    study: Path, verb: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    here_alone(monkeypatch)
    digits = ("--set", "data.name=digits", "--set", "reference.extractor=digits-cnn")
    code, said = verb("run", "tiny.yaml", *digits, "--only", "DiT-micro-S/8 at 6")
    assert code == 0, said
    metrics = load_results(study.parent / "results")["metrics"]
    assert set(metrics["data"]) == {"digits"}
    assert set(metrics["extractor"]) == {"digits-cnn"}
    assert "fd_digits_cnn" in set(metrics["metric"])
    report = (study.parent / "reports" / "tiny.pdf").read_bytes()
    assert report.startswith(b"%PDF")  # of an unfinished study: B was not asked for


def test_running_without_data_or_cluster_says_all_that_is_missing(
    verb: Said, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.dispatch.local.gpus", list)
    words = ("--profile", "imagenet256", "--set", "dispatch.executor=local")
    code, said = verb("run", "scaling", *words)
    assert code == 2
    assert "error: scaling (imagenet256) cannot start:" in said
    assert "the images of 'imagenet' are not at data/imagenet/train" in said
    assert "reference statistics are not at" in said
    assert "no NVIDIA GPU is visible" in said
    assert list(study.parent.iterdir()) == [study]
