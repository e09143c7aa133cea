"""Several processes for one stage, without a cluster: what torchrun starts on one machine.

    torchrun --nproc-per-node 8 -m harness.stages.ranks studies/scaling.yaml \
        --profile imagenet256 --set dispatch.executor=local --only train

Does the selected stages in dependency order, each on all processes (those that cannot be shared on
the first), with the same store and the same keys as `python -m harness run`, which afterwards finds
them done and goes on. No ledger: do not start a driver on the same stages meanwhile (it would be
safe, the first commit wins, and wasteful). SIGTERM or SIGUSR2 to the processes saves a checkpoint
and ends them with exit code 3; the same command goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from harness.errors import HarnessError
from harness.plan.build import make_plan
from harness.spec.study import load_study
from harness.stages import distributed
from harness.stages.execute import execute
from harness.stages.work import Stopped
from harness.store import Store


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 2 bad input or a failed stage, 3 stopped."""
    parser = argparse.ArgumentParser(prog="torchrun ... -m harness.stages.ranks")
    parser.add_argument("study")
    parser.add_argument("--profile")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--results", default="results")
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse_args(arguments)
    try:
        study = load_study(options.study, options.profile, options.overrides)
        plan = make_plan(study)
        store = Store(options.results)
        world = distributed.join(study.settings.dispatch.rendezvous_minutes * 60)
        for stage in plan.select(options.only):
            if world.main:
                print(stage.label, flush=True)
            execute(plan.task(stage), store, _printer(world.main))
            world.wait()
    except Stopped as stopped:
        print(f"stopped: {stopped}", flush=True)
        return 3
    except HarnessError as error:
        print(f"error: rank {os.environ.get('RANK', 0)}: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


def _printer(main: bool) -> Any:
    last = [0]

    def progress(done: int = 0, total: int = 0, unit: str = "", **_: Any) -> None:
        if main and total and (tenth := 10 * done // total) != last[0]:
            last[0] = tenth
            print(f"  {done:,} of {total:,} {unit}", flush=True)

    return progress


if __name__ == "__main__":
    sys.exit(main())
