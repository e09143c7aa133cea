"""The command line: quick to start, nothing touched by looking, errors a person can use."""

from __future__ import annotations

import csv
import io
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_study import Harness

from harness.spec.schema import STAGE_KINDS

SCALING = str(Path("studies/scaling.yaml").resolve())


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["plan", SCALING], ["status", SCALING], ["results", SCALING, "--csv"]],
    ids=["help", "plan", "status", "results"],
)
def test_looking_does_not_import_torch(tmp_path: Path, arguments: list[str]) -> None:
    code = (
        "import sys; from harness.cli import main\n"
        f"code = main({arguments!r})\n"
        "assert code == 0, code\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", ["--help", "plan", "status"])
def test_looking_starts_in_under_a_second(tmp_path: Path, verb: str) -> None:
    arguments = [verb] if verb == "--help" else [verb, SCALING]
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # processor time, because other processes share this machine
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if took[-1] < 1:
            return
    raise AssertionError(f"{verb} took {took} s")


@pytest.mark.parametrize("verb", ["plan", "status", "results", "run --dry-run"])
def test_looking_creates_nothing(study: Path, harness: Harness, verb: str) -> None:
    word, *options = verb.split()
    done = harness(word, "tiny.yaml", *options)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in study.parent.iterdir()) == ["tiny.yaml"]


def test_plan_as_json_says_every_stage_and_the_totals(study: Path, harness: Harness) -> None:
    content = json.loads(harness("plan", "tiny.yaml", "--json").stdout)
    assert content["runs"] == 2
    kinds = {s["kind"] for s in content["stages"]}
    assert kinds == set(STAGE_KINDS)
    assert content["missing"]["stages"] == len(content["stages"]) == 18
    assert content["missing"]["device_seconds"] is None  # nothing measured: not a guess
    train = [s for s in content["stages"] if s["kind"] == "train"]
    assert content["missing"]["gflops"] == pytest.approx(
        sum(s["gflops"] for s in content["stages"] if s["gflops"])
    )
    assert all(s["gflops"] > 0 and s["seconds"] is None for s in train)


def test_plan_shows_the_papers_setting_with_its_cost_and_what_is_missing(
    tmp_path: Path, harness: Harness
) -> None:
    done = harness("plan", SCALING, "--profile", "imagenet256")
    assert done.returncode == 0
    assert "12 runs" in done.stdout and "Eflops" in done.stdout
    for word in ("data/imagenet/train", "VIRTUAL_imagenet256_labeled.npz"):
        assert word in done.stdout


def test_running_without_data_or_cluster_says_all_that_is_missing(
    tmp_path: Path, harness: Harness
) -> None:
    done = harness("run", SCALING, "--profile", "imagenet256", "--set", "dispatch.executor=local")
    assert done.returncode == 2
    assert "error: scaling (imagenet256) cannot start:" in done.stderr
    assert "the images of 'imagenet' are not at data/imagenet/train" in done.stderr
    assert "reference statistics are not at" in done.stderr
    assert "no NVIDIA GPU is visible" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["plan", "tiny.yaml", "--profile", "lap"], "unknown profile 'lap'"),
        (["run", "tiny.yaml", "--set", "train.stepz=3"], "did you mean 'steps'?"),
        (["run", "tiny.yaml", "--only", "nothing-like-it"], "no stage is left"),
        (["logs", "nothing-like-it", "tiny.yaml"], "no stage of tiny matches"),
    ],
)
def test_bad_usage_is_told_in_one_line_and_exits_2(
    study: Path, harness: Harness, arguments: list[str], expected: str
) -> None:
    done = harness(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr and "Traceback" not in done.stderr
    assert all(line.startswith("error: ") for line in done.stderr.splitlines())


def test_unknown_verbs_and_options_exit_2(harness: Harness) -> None:
    assert harness("fly").returncode == 2
    assert harness("plan").returncode == 2
    assert harness().returncode == 2


def test_a_results_folder_that_cannot_be_written_is_told_before_the_start(
    study: Path, harness: Harness
) -> None:
    (study.parent / "results").write_text("a file, not a folder")
    done = harness("run", "tiny.yaml")
    assert done.returncode == 2
    assert "error: --results results is a file: give the folder" in done.stderr


def test_validate_checks_every_profile(study: Path, harness: Harness) -> None:
    good = harness("validate", "tiny.yaml")
    assert good.returncode == 0 and "2 runs" in good.stdout
    study.write_text(study.read_text() + "  broken: {train: {steps: -1}}\n")
    bad = harness("validate", "tiny.yaml")
    assert bad.returncode == 2 and "train.steps is -1" in bad.stderr


def test_the_schema_accepts_the_repositorys_studies_and_knows_every_field(
    harness: Harness,
) -> None:
    schema = json.loads(harness("schema").stdout)
    assert schema["additionalProperties"] is False
    assert {"study", "title", "matrix", "evaluations", "profiles"} <= set(schema["properties"])
    assert "patch_size" in schema["properties"]["model"]["properties"]


def test_results_are_a_table_csv_or_json(study: Path, harness: Harness) -> None:
    done = harness("run", "tiny.yaml", "--only", "DiT-micro-S/8 at 6", "--no-report")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = list(csv.DictReader(io.StringIO(harness("results", "tiny.yaml", "--csv").stdout)))
    values = [r for r in rows if r["of"] == "samples"]
    assert {r["model"] for r in values} == {"DiT-micro-S/8"}
    as_json = json.loads(harness("results", "tiny.yaml", "--json").stdout)
    assert len(as_json) == len(rows)
    table = harness("results", "tiny.yaml").stdout
    assert "fd_glyphs_cnn" in table and "floor (real images)" in table
    runs = harness("results", "tiny.yaml", "--table", "runs").stdout
    assert "DiT-micro-S/8" in runs
    plan = harness("plan", "tiny.yaml").stdout
    assert re_done(plan, "train") == (4, 2)


def re_done(plan: str, kind: str) -> tuple[int, int]:
    words = next(line for line in plan.splitlines() if line.startswith(kind)).split()
    return int(words[1]), int(words[2])


def test_every_option_says_what_it_does() -> None:
    import argparse

    from harness.cli import parser

    (verbs,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    silent = [
        f"{verb} {action.option_strings or action.dest}"
        for verb, sub in verbs.choices.items()
        for action in sub._actions
        if not action.help
    ]
    assert not silent
