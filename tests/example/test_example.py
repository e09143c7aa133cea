"""A stranger's package and files, run from outside of the checkout: the house is open."""

from __future__ import annotations

import csv
import io
import os
import subprocess
from pathlib import Path

import pytest
import warm
from example_package import PACKAGE, install

CHECKOUT = Path(__file__).parents[2]


def harness(folder: Path, *words: str, path: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *path])}
    environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return subprocess.run(
        [warm.python(), "-m", "harness", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in a site folder of its own."""
    site = tmp_path_factory.mktemp("site")
    install(site)
    return site


@pytest.mark.slow
def test_a_package_brings_one_of_each_kind_and_its_study_runs(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "study.yaml").write_text((PACKAGE / "study.yaml").read_text())
    path = [str(installed)]
    listing = harness(tmp_path, "components", path=path).stdout
    for name in (
        "plain-cnn",
        "folded",
        "arc",
        "arc-steps",
        "rings",
        "random-filters",
        "mean-gap",
        "sign-momentum",
        "inverse-root",
        "json-lines",
    ):
        assert f"  {name}" in listing
    assert listing.count("[package harness-example-components 0.1.0]") == 12
    for profile in ("laptop", "workers"):  # its own executor, then ours: nothing is done twice
        done = harness(tmp_path, "run", "study.yaml", "--profile", profile, path=path)
        assert done.returncode == 0, done.stderr
    assert "12 stages, 12 done" in done.stdout
    told = sorted((tmp_path / "results" / "trackers").glob("*.jsonl"))
    assert len(told) == 2  # one file of each training: its losses and its metrics
    assert all("train/loss" in f.read_text() and "final 8 steps/fd_" in f.read_text() for f in told)
    rows = list(
        csv.DictReader(
            io.StringIO(harness(tmp_path, "results", "study.yaml", "--csv", path=path).stdout)
        )
    )
    names = {row["metric"] for row in rows}
    assert {"fd_random_filters", "mean-gap_random_filters"} <= names
    assert not names & {"fid", "sfid", "inception_score"}
    assert {row["objective"] for row in rows if row["of"] == "samples"} == {"arc"}
    without = harness(tmp_path, "plan", "study.yaml", path=[])
    assert without.returncode == 2 and "Traceback" not in without.stderr
    assert "rings" in without.stderr
    assert "it, version 1 of package harness-example-components 0.1.0: install that" in (
        without.stderr
    )
    # its numbers can be read all the same; those of a study with a mistake are not given out
    read = harness(tmp_path, "results", "study.yaml", "--profile", profile, "--csv", path=[])
    assert read.returncode == 0 and "package" not in read.stdout
    assert len(list(csv.DictReader(io.StringIO(read.stdout)))) == len(rows)
    assert "this is example as it was run" in read.stderr
    (tmp_path / "study.yaml").write_text((PACKAGE / "study.yaml").read_text() + "sed: 3\n")
    wrong = harness(tmp_path, "results", "study.yaml", path=[str(installed)])
    assert wrong.returncode == 2 and "sed" in wrong.stderr


@pytest.mark.slow
def test_the_same_files_beside_a_study_run_on_warm_workers_and_changes_are_asked_about(
    tmp_path: Path,
) -> None:
    names = (
        "family",
        "autoencoder",
        "objective",
        "sampler",
        "source",
        "extractor",
        "metric",
        "optimizer",
        "schedule",
        "tracker",
        "section",
    )
    for name in names:
        text = (PACKAGE / "harness_example" / f"{name}.py").read_text()
        (tmp_path / f"my_{name}.py").write_text(text)
    study = (PACKAGE / "study.yaml").read_text().replace("{name: subprocess, at_once: 2}", "local")
    study += f"components: [{', '.join(f'my_{name}.py' for name in names)}]\n"
    (tmp_path / "study.yaml").write_text(study)
    done = harness(tmp_path, "run", "study.yaml", path=[])
    assert done.returncode == 0, done.stderr
    copies = list((tmp_path / "results" / "components").glob("*.py"))
    assert len(copies) == len(names)
    with open(tmp_path / "my_family.py", "a") as file:
        print("# a word more", file=file)
    again = harness(tmp_path, "run", "study.yaml", path=[])
    assert again.returncode == 2 and "raise its version" in again.stderr
    same = harness(tmp_path, "run", "study.yaml", "--same-output", path=[])
    assert same.returncode == 0, same.stderr
    (tmp_path / "my_family.py").write_text("import nothing_of_that_name\n")
    broken = harness(tmp_path, "validate", "study.yaml", path=[])
    assert broken.returncode == 2 and "Traceback" not in broken.stderr
    assert "my_family.py:1: cannot be imported: ModuleNotFoundError" in broken.stderr
