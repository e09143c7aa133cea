"""Components of a stranger's package, and of a file beside the study, on the real SLURM."""

from __future__ import annotations

import json
import os

import pytest
from example_package import PACKAGE, install
from slurm_bench import Bench

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("cluster b")]

SLURM = """\
  cluster:
    dispatch:
      executor: slurm
      threads: 1
      slurm: {minutes: 10, gpus_per_node: 0, cpus_per_task: 1, mem_gb: 1, pack: 8}
"""


def test_the_examples_study_runs_with_its_package_and_a_file_of_its_own(bench: Bench) -> None:
    """All tasks load the package by its entry point, and the file's copy by its SHA-256."""
    site = bench.folder / "site"
    install(site)
    # its family comes as a file instead, under another name: both ways in one study
    family = (PACKAGE / "harness_example" / "family.py").read_text()
    (bench.folder / "my_family.py").write_text(family.replace('"plain-cnn"', '"my-cnn"'))
    study = (PACKAGE / "study.yaml").read_text().replace("plain-cnn", "my-cnn")
    study = study.replace("width: [8, 16]", "width: [8]") + SLURM
    bench.file.write_text(f"{study}components: [my_family.py]\n")
    bench.env["PYTHONPATH"] = os.pathsep.join([os.getcwd(), str(site)])
    said = bench.run("run", "--no-report", "--profile", "cluster")
    assert "8/8" in said
    metrics = bench.frames()["metrics"]
    own = metrics[metrics["of"] == "samples"]
    assert {"fd_random_filters", "mean-gap_random_filters"} <= set(own["metric"])
    assert own["value"].notna().all() and set(own["objective"]) == {"arc"}
    assert "my_family.py" not in str(own["component_sha256"].iloc[0])
    assert set(json.loads(own["component_sha256"].iloc[0])) == {"family:my-cnn"}
    assert {a["state"] for a in bench.attempts()} == {"done"}
    (manifest,) = bench.results.glob("artifacts/train/*/manifest.json")
    told = json.loads(manifest.read_text())["provenance"]["components"]
    assert told["objective:arc"]["from"] == "package harness-example-components 0.1.0"
    assert told["family:my-cnn"]["from"] == "file my_family.py"
