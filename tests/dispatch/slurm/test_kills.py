"""SIGKILLs of drivers and tasks at random moments on a real SLURM, then one `run`.

Another seed than the printed one: HARNESS_TEST_SEED=N. More kills: HARNESS_TEST_KILLS=N (fifty
before a release: .ci/full).
"""

from __future__ import annotations

import os
import random
import subprocess

import pytest
from kills import ALL, DRIVER, WORKER, contents, kill_at_random
from slurm_bench import Bench

from harness.spec.dispatching import STAGE_KINDS

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("cluster c")]

SEED = int(os.environ.get("HARNESS_TEST_SEED", "20261125"))
KILLS = int(os.environ.get("HARNESS_TEST_KILLS", "5"))
OFTEN = ("--set", "dispatch.retries={killed: 50, lost: 50, node failure: 50}")
# A killed stage waits 10 s before its second try, twice that before its third, and so on: this
# driver waits a hundredth of that.
HASTY = """
import sys
from dataclasses import replace
from harness.cli import main
from harness.dispatch.failures import POLICIES
for name, policy in POLICIES.items():
    POLICIES[name] = replace(policy, wait_s=policy.wait_s / 100)
sys.exit(main())
"""
# Seldom a task: it takes some seconds to begin, and must get somewhere now and then.
VICTIMS = (*(DRIVER,) * 8, WORKER, ALL)


def start(bench: Bench) -> subprocess.Popen[str]:
    words = bench.words("run", "--no-report", *OFTEN)
    process = subprocess.Popen(
        [words[0], "-c", HASTY, *words[3:]],
        env=bench.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    bench.processes.append(process)
    return process


@pytest.mark.timeout(600 + 60 * KILLS)
def test_killed_at_random_moments_one_more_run_ends_with_the_same_values(bench: Bench) -> None:
    bench.write(patches="[8, 4, 2]", steps=60)
    peace = bench.undisturbed(whole=True)
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    total = rounds = 0
    while total < KILLS:  # a study that ended meanwhile is begun anew
        one = Bench(bench.folder / f"round-{rounds}", bench.cluster, bench.baseline)
        one.write(patches="[8, 4, 2]", steps=60)
        killed = kill_at_random(
            lambda one=one: start(one),
            lambda one=one: [p for kind in STAGE_KINDS for p in one.all_processes_of(kind)],
            chance,
            KILLS - total,
            VICTIMS,
            4.0,
            may_fail=True,
        )
        print(f"round {rounds}: killed {dict(killed)}")
        total, rounds = total + killed.total(), rounds + 1
        one.end(start(one), wait_s=600 + 10 * KILLS)  # a stage that was killed waits, too
        one.same_records(peace)
        one.one_record_per_key(3)
        assert contents(one.results) == contents(peace)
        assert not list(one.results.glob("quarantine/*"))
