"""Several processes for one stage, without a cluster: what torchrun starts on one machine.

    torchrun --nproc-per-node 8 -m harness.stages.ranks studies/scaling.yaml \
        --profile imagenet256 --set dispatch.executor=local --only train

When a rank fails, the others end within seconds and torchrun's summary says which one and why.

Does the selected stages in dependency order, each on all processes (those that cannot be shared on
the first), with the same store and the same keys as `python -m harness run`, which afterwards finds
them done and goes on. No ledger: do not start a driver on the same stages meanwhile (it would be
safe, the first commit wins, and wasteful). SIGTERM or SIGUSR2 to the processes saves a checkpoint
and ends them with exit code 3; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

from harness.errors import HarnessError, on_one_line
from harness.plan.build import make_plan
from harness.spec.study import load_study
from harness.stages import distributed
from harness.stages.execute import classify, execute
from harness.stages.peers import PeerFailed, together
from harness.stages.work import Stopped
from harness.store import Store, component_files

LINGER_S = 2.0  # that the rank which failed by itself ends first: torchrun takes it for the cause


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 an error in the code, 2 bad input or a failed stage, 3 stopped."""
    parser = argparse.ArgumentParser(
        prog="torchrun ... -m harness.stages.ranks", allow_abbrev=False
    )
    parser.add_argument("study")
    parser.add_argument("--profile")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--results", default="results")
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse_args(arguments)
    rank = os.environ.get("RANK", "0")
    try:
        _do(options)
    except Stopped as stopped:
        print(f"stopped: {stopped}", flush=True)
        return 3
    except PeerFailed as error:
        print(f"rank {rank} ends: {error}", file=sys.stderr, flush=True)
        time.sleep(LINGER_S)
        return 2
    except HarnessError as error:
        print(f"error: rank {rank}: {error}", file=sys.stderr, flush=True)
        _tell_torchrun(str(error))
        return 2
    except Exception as error:
        traceback.print_exc()
        _tell_torchrun(on_one_line(error))
        return 1
    return 0


def _do(options: argparse.Namespace) -> None:
    study = load_study(options.study, options.profile, options.overrides)
    plan = make_plan(study)
    store = Store(options.results)
    component_files.keep(study.components, store.root)
    limits = study.settings.dispatch
    world = distributed.join(limits.rendezvous_minutes * 60, limits.exchange_minutes * 60)
    with together(world, lambda: False, classify):
        for stage in plan.select(options.only):
            if world.main:
                print(stage.label, flush=True)
            execute(plan.task(stage), store, _printer(world.main))
            world.wait()


def _tell_torchrun(message: str) -> None:
    """Its summary shows the message of the rank that failed first."""
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path is None:
        return
    now = str(int(time.time()))
    about = {"message": message, "extraInfo": {"py_callstack": message, "timestamp": now}}
    with open(path, "w") as file:
        json.dump({"message": about}, file)


def _printer(main: bool) -> Any:
    last = [0]

    def progress(done: int = 0, total: int = 0, unit: str = "", **_: Any) -> None:
        if main and total and (tenth := 10 * done // total) != last[0]:
            last[0] = tenth
            print(f"  {done:,} of {total:,} {unit}", flush=True)

    return progress


if __name__ == "__main__":
    ended = main()
    from harness.stages.tracking import leave

    leave(ended)
