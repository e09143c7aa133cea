"""Results that commit 87b48fe made are read, reported and gone on with by the code of today."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from tiny_study import Harness
from unpacking import extract
from verbs import Said

KEPT = Path(__file__).parents[1] / "data" / "frozen" / "results"  # made by make.sh in it
PROFILES = ("laptop", "imported")

# What a row is known by, and the columns whose values a reader publishes.
ROWS = {
    "metrics": (
        ["key", "metric"],
        "value std floor of model step seed sampling_steps guidance_scale guidance_channels "
        "samples split_size k params gflops gflops_paper sampling_gflops train_gflops "
        "extractor_sha256 reference_sha256 reference_images recall_images data_sha256 "
        "batch_size learning_rate sampler sampling_seed checkpoint_key",
    ),
    "runs": (
        ["key"],
        "run model step seed params gflops gflops_paper train_gflops loss data_sha256 batch_size "
        "learning_rate seconds",
    ),
    "training": (["key", "step"], "run model seed loss mse vb grad_norm"),
}
# Kinds of stages that did not exist then: these alone may run on results of then.
NEW_KINDS: tuple[str, ...] = ("floor", "ceiling", "subset")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """kept.yaml beside the results/ that it has had since then, and what was said/ of them."""
    with tarfile.open(KEPT / "results.tar.xz") as tar:
        extract(tar, tmp_path)
    path = tmp_path / "kept.yaml"
    path.write_bytes((KEPT / "kept.yaml").read_bytes())
    return path


def test_the_kept_results_hold_no_path_of_the_machine_that_made_them() -> None:
    with tarfile.open(KEPT / "results.tar.xz") as tar:
        members = [m for m in tar.getmembers() if m.isfile()]
        assert len(members) > 150
        for member in members:
            content = tar.extractfile(member).read()  # type: ignore[union-attr]
            for folder in (b"/tmp", b"/home", b"/root", b"/work"):
                assert folder not in content, member.name


@pytest.mark.slow
@pytest.mark.parametrize("table", ROWS)
@pytest.mark.parametrize("profile", PROFILES)
def test_results_says_the_same_numbers(profile: str, table: str, study: Path, verb: Said) -> None:
    code, out = verb("results", "kept.yaml", "--profile", profile, "--csv", "--table", table)
    assert code == 0
    identity, columns = ROWS[table]
    then = pd.read_csv(study.parent / "said" / f"{profile}-{table}.csv")
    now = pd.read_csv(io.StringIO(out))
    counts = {"metrics": (33, 14), "runs": (4, 0), "training": (4, 0)}  # nothing was trained there
    assert len(then) == counts[table][PROFILES.index(profile)]
    wanted = [*identity, *columns.split()]
    pd.testing.assert_frame_equal(
        now[wanted].sort_values(identity).reset_index(drop=True),
        then[wanted].sort_values(identity).reset_index(drop=True),
        check_exact=True,
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_status_says_done(profile: str, study: Path, verb: Said) -> None:
    code, out = verb("status", "kept.yaml", "--profile", profile)
    assert code == 0, out  # 3 where a stage waits, 1 where one failed
    assert "are done" in out


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_report_compiles(profile: str, study: Path, verb: Said) -> None:
    code, out = verb("report", "kept.yaml", "--profile", profile, "--report", "kept.pdf")
    assert code == 0, out
    assert (study.parent / "kept.pdf").read_bytes().startswith(b"%PDF")


def _made(results: Path) -> dict[str, int]:
    """Every committed folder, and when it was last written."""
    return {
        path.parent.relative_to(results).as_posix(): path.stat().st_mtime_ns
        for path in results.glob("artifacts/*/*/manifest.json")
    }


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_run_finds_everything_done(profile: str, study: Path, harness: Harness) -> None:
    results = study.parent / "results"
    made, tried = _made(results), set(os.listdir(results / "attempts"))
    done = harness("run", "kept.yaml", "--profile", profile, "--no-report")
    assert done.returncode == 0, done.stdout + done.stderr
    now = _made(results)
    assert {path: now.get(path) for path in made} == made
    assert not [p for p in now.keys() - made.keys() if p.split("/")[1] not in NEW_KINDS]
    new = set(os.listdir(results / "attempts")) - tried
    assert new <= {p.split("/")[-1] for p in now.keys() - made.keys()}
    assert all(len(list((results / "attempts" / key).iterdir())) == 1 for key in tried)
    assert not list((results).glob("quarantine/*"))
