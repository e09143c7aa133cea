"""What the tests of the command line's verbs share: SLURM's commands, pretended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.dispatch.ledger import Attempt, Ledger
from harness.plan import make_plan
from harness.plan.plan import Stage
from harness.spec import load_study

Said = Callable[..., tuple[int, str]]


SLURM = ("--executor", "slurm", "--set", "dispatch.slurm.gpus_per_node=1")


SBATCH = """\
#!/bin/sh
name=$(sed -n 's/^#SBATCH --job-name=//p' "$2")
size=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$2")
job=$(( $(cat {0}/count 2>/dev/null || echo 100) + 1 ))
echo $job > {0}/count
for i in $(seq 0 $size); do echo "$name|$job|$i|PENDING|1:00|0:00|Priority" >> {0}/jobs; done
echo $job
"""


def cancelled(slurm: Path) -> list[str]:
    """The job ids that scancel was given, each with its name."""
    lines = [line.split() for line in (slurm / "cancelled").read_text().splitlines()]
    assert all(words[0].startswith("--name=harness-") for words in lines)
    return [job for words in lines for job in words[1:]]


def stages(study: Path, kind: str) -> list[Stage]:
    return [s for s in make_plan(load_study(study)).stages.values() if s.kind == kind]


def tried(root: Path, stage: Stage, log: str = "") -> tuple[Ledger, Attempt]:
    """An attempt at a stage, as a driver writes it down."""
    ledger = Ledger(root)
    attempt = ledger.begin(stage.key, stage.kind, stage.label)
    Path(attempt.log).parent.mkdir(parents=True, exist_ok=True)
    Path(attempt.log).write_text(log)
    return ledger, attempt
