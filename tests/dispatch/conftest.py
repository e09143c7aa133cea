"""The private SLURM cluster of the tests, started once, stopped at the end."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from private_cluster import PrivateCluster, missing_binaries
from slurm_bench import Bench


@pytest.fixture(scope="session")
def cluster() -> Iterator[PrivateCluster]:
    """A SLURM of our own, started once per session."""
    lacking = missing_binaries()
    if lacking:
        pytest.skip(f"SLURM is not installed here ({', '.join(lacking)} not found)")
    if os.geteuid() != 0:
        pytest.skip("a private SLURM cluster needs root")
    # a short path: munge's socket must fit into 107 characters
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        private = PrivateCluster(Path(folder))
        private.start()
        yield private
        private.stop()


@pytest.fixture
def bench(cluster: PrivateCluster, tmp_path: Path) -> Iterator[Bench]:
    """An idle cluster and an empty results folder."""
    one = Bench(tmp_path, cluster)
    yield one
    one.stop()
    cluster.command("scancel", "--full", "-u", "root", check=False)
    deadline = time.monotonic() + 20
    while cluster.jobs() and time.monotonic() < deadline:
        time.sleep(0.1)
