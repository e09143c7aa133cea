"""SIGKILLs of drivers and workers at random moments, then one `run`: nothing is lost.

Another seed than the printed one: HARNESS_TEST_SEED=N. More kills: HARNESS_TEST_KILLS=N (fifty
before a release: .ci/full).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kills import ALL, DRIVER, WORKER, assert_same_records, contents, kill_at_random, workers_of
from tiny_study import TINY

RUN = [sys.executable, "-W", "ignore", "-m", "harness", "run", "tiny.yaml", "--no-report"]
SEED = int(os.environ.get("HARNESS_TEST_SEED", "20261125"))
KILLS = int(os.environ.get("HARNESS_TEST_KILLS", "5"))
VICTIMS = (DRIVER, WORKER, WORKER, ALL)
PATCHES = "[8]" if KILLS <= 5 else "[8, 4]"  # before a release there is more to be killed
MODELS = 2 * len(PATCHES.split(","))
# Trainings long enough to be killed inside, with their own checkpoints to go on from.
STUDY = (
    TINY.replace("steps: 6, milestones: [3, 6]", "steps: 40, milestones: [20, 40]")
    .replace("log_every: 2", "log_every: 5, checkpoint_every: 7")
    .replace("model.patch_size: [8]", f"model.patch_size: {PATCHES}")
)
STAGES = MODELS + 1 + 2 * MODELS + 1 + 2 * MODELS + 2 * MODELS + 1 + 1


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        RUN, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(folder: Path, wait_s: float = 600) -> str:
    """One `run` that nobody disturbs."""
    driver = start(folder)
    said, _ = driver.communicate(timeout=wait_s)
    assert driver.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Results that nobody disturbed, and the seconds they took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "tiny.yaml").write_text(STUDY)
    began = time.monotonic()
    assert f"{STAGES}/{STAGES}" in finish(folder)
    return folder / "results", time.monotonic() - began


@pytest.mark.slow
@pytest.mark.timeout(600 + 30 * KILLS)
def test_killed_at_random_moments_one_more_run_ends_with_the_same_values(
    undisturbed: tuple[Path, float], tmp_path: Path
) -> None:
    peace, took = undisturbed
    chance = random.Random(SEED)
    print(f"seed {SEED}; undisturbed: {took:.1f} s")
    total = rounds = 0
    while total < KILLS:  # a study that ended meanwhile is begun anew
        folder = tmp_path / f"round-{rounds}"
        folder.mkdir()
        (folder / "tiny.yaml").write_text(STUDY)
        killed = kill_at_random(
            lambda folder=folder: start(folder),
            lambda folder=folder: workers_of(folder),
            chance,
            KILLS - total,
            VICTIMS,
            min(took / 2, max(6.0, took / 8)),  # on a busy machine it must get somewhere, too
            may_fail=True,
        )
        print(f"round {rounds}: killed {dict(killed)}")
        total, rounds = total + killed.total(), rounds + 1
        assert workers_of(folder, wait_s=10) == [], "workers outlived their driver"
        finish(folder, 600 + 10 * took)
        assert_same_records(peace, folder / "results")
        assert contents(folder / "results") == contents(peace)
        assert not list((folder / "results").glob("quarantine/*"))
