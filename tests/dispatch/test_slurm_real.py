"""SLURM itself: a private cluster, real jobs, real kills. See harness.dispatch.slurm."""

from __future__ import annotations

from pathlib import Path

import pytest
from slurm_bench import Bench

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
LONG = 400  # steps: some seconds of training, a checkpoint every ten steps


def preempt(bench: Bench) -> None:
    """Take the whole node from the low partitions for a second."""
    assert bench.cluster is not None
    script = bench.folder / "high.sh"
    script.write_text("#!/bin/bash\nsleep 1\n")
    bench.cluster.command(
        "sbatch", "-p", "high", "--exclusive", "-o", "/dev/null", "--wait", str(script), timeout=90
    )


def reference(bench: Bench, *more: str) -> Path:
    """The same study by local workers, undisturbed."""
    local = bench.folder / "local"
    bench.run("run", "--no-report", "--executor", "local", *more, results=local)
    return local


@pytest.mark.parametrize("partition", ["low", "nograce"])
def test_a_training_preempted_in_the_middle_ends_bit_for_bit_the_same(
    bench: Bench, partition: str
) -> None:
    bench.write(steps=LONG)
    driver = bench.start(
        *("run", "--no-report", "--only", "train"),
        *("--set", f"dispatch.slurm.partition={partition}"),
    )
    bench.until_training()
    preempt(bench)
    said, _ = driver.communicate(timeout=120)
    assert driver.returncode == 0, said
    (attempt,) = bench.attempts("train")
    assert "resumed at step" in Path(attempt["log"]).read_text()
    assert attempt["state"] == "done"
    bench.same_records(reference(bench, "--only", "train"))
