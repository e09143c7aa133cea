"""The private SLURM cluster of the tests, started once, stopped at the end."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import warm

sys.path.insert(0, str(Path(__file__).parent))

from pretended_cluster import Clock
from private_cluster import PrivateCluster, missing_binaries
from slurm_bench import Baseline, Bench

from harness.dispatch import driver
from harness.dispatch.slurm import jobs, queue, submission


def _started(**settings: Any) -> Iterator[PrivateCluster]:
    lacking = missing_binaries(settings.get("accounting", False))
    if lacking:
        pytest.skip(f"SLURM is not installed here ({', '.join(lacking)} not found)")
    if os.geteuid() != 0:
        pytest.skip("a private SLURM cluster needs root")
    # a short path: munge's socket must fit into 107 characters
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        private = PrivateCluster(Path(folder), **settings)
        try:
            private.start()
            yield private
        finally:
            private.stop()


@pytest.fixture(scope="session")
def cluster() -> Iterator[PrivateCluster]:
    """A SLURM of our own, started once per session. It keeps no accounts."""
    yield from _started()


@pytest.fixture(scope="session")
def accounting_cluster() -> Iterator[PrivateCluster]:
    """One with slurmdbd, whose controller forgets a job two seconds after its end, and which kills
    a job that exceeds its memory."""
    yield from _started(accounting=True, min_job_age=2, memory_limits=True)


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Baseline:
    """Undisturbed local runs, to compare with."""
    return Baseline(tmp_path_factory.mktemp("undisturbed"))


# Their processes are looked at, frozen and killed: each is an interpreter of its own.
LOOKED_AT = ("test_disasters", "test_interrupted", "test_kills", "test_resources")


@pytest.fixture
def bench(
    cluster: PrivateCluster, baseline: Baseline, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Bench]:
    """An idle cluster and an empty results folder."""
    one = Bench(tmp_path, cluster, baseline)
    if request.path.stem not in LOOKED_AT:
        one.python = warm.python()
    yield one
    one.stop()
    cluster.clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that a driver and its pretended cluster go by."""
    clock = Clock()
    for module in (jobs, queue, submission, driver):
        monkeypatch.setattr(module, "time", clock)
    return clock
