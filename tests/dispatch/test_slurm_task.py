"""What runs on the compute node, without SLURM: its variables are set, its commands are scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tiny_study import TINY

from harness.dispatch import slurm_batch
from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.slurm_batch import Batch, Growth
from harness.plan import make_plan
from harness.spec import load_study

NAME = "harness-complexity-1"
JOB = {
    "SUBMITIT_EXECUTOR": "slurm",
    "SLURM_JOB_ID": "8",
    "SLURM_ARRAY_JOB_ID": "7",
    "SLURM_ARRAY_TASK_ID": "0",
    "SLURM_NTASKS": "1",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_NODEID": "0",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_JOB_NODELIST": "here",
}


def packed(root: Path) -> tuple[Ledger, list[Attempt]]:
    """Two stages in one element, written down and not begun."""
    file = root / "tiny.yaml"
    file.write_text(TINY)
    plan = make_plan(load_study(file))
    tasks = [plan.task(s) for s in plan.stages.values() if s.kind == "complexity"][:2]
    ledger = Ledger(root)
    attempts = {t.key: ledger.begin(t.key, t.kind, t.key, NAME, 0) for t in tasks}
    slurm_batch.write(root, Batch(NAME, "complexity", Growth(), [tasks]), attempts, {})
    return ledger, list(attempts.values())


def fill(log: str) -> None:
    """Let a log lie on a full disk."""
    Path(log).parent.mkdir(parents=True)
    Path(log).symlink_to("/dev/full")


def task(root: Path, code: str = "") -> subprocess.CompletedProcess[str]:
    """The task of the element, in a process that runs `code` before it."""
    code += (
        "\nimport sys; from harness.dispatch.slurm_task import main; sys.exit(main(*sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-u", "-c", code, str(root), NAME],
        env={**os.environ, **JOB},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_log_on_a_full_disk_fails_its_stage_with_the_cause_and_not_those_beside_it(
    tmp_path: Path,
) -> None:
    ledger, (first, second) = packed(tmp_path)
    fill(first.log)
    done = task(tmp_path)
    now = ledger.read(first)
    assert (now.state, now.failure) == ("again", "environment")
    assert now.error and f"no space left while writing {first.log}" in now.error
    assert now.error in done.stderr and "Traceback" not in done.stderr
    assert done.returncode == 1
    assert ledger.read(second).state == "done"
    assert "committed" in Path(second.log).read_text()


FILLS = """
import os
from harness.stages import execute
calls = []
def fills(*_):
    calls.append(1)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1), os.dup2(full, 2)
    if len(calls) == 1:
        raise ValueError("boom")
    return True
execute.execute = fills
"""


def test_a_disk_that_fills_during_a_stage_hides_no_cause_and_undoes_no_end(tmp_path: Path) -> None:
    ledger, (first, second) = packed(tmp_path)
    task(tmp_path, FILLS)
    now = ledger.read(first)
    assert now.failure == "error" and now.error
    assert f"boom; no space left while writing {first.log}" in now.error
    assert ledger.read(second).state == "done"
