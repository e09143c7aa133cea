"""`cancel`: stop a study's stages, or some of them: the local driver's, and SLURM jobs.

A local driver is asked to stop (its stages save their progress first). SLURM jobs are cancelled
with scancel; a stage that shares its task with others is passed over, or stops at its next step.
"""

from __future__ import annotations

import argparse
import os
import signal

from harness.commands import common
from harness.commands.common import Opened
from harness.commands.status import slurm_jobs
from harness.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)
    parser.add_argument(
        "stages",
        metavar="STAGE",
        nargs="*",
        help="only these: a stage kind, a key's beginning, or text of a label (default: all)",
    )


def run(args: argparse.Namespace) -> int:
    opened = common.open_study(args)
    wanted = {s.key for s in opened.stages}
    if args.stages:
        wanted = {
            s.key
            for s in opened.stages
            if any(s.kind == p or s.key.startswith(p) or p in s.label for p in args.stages)
        }
        if not wanted:
            raise BadInput(f"no stage of {opened.study.name} matches {', '.join(args.stages)}")
    cancelled = cancel_jobs(opened, wanted)
    owners = {}
    for key in wanted:
        owner = opened.ledger.owner_of(key)
        if owner is not None and key not in cancelled:
            owners[(owner.host, owner.pid)] = owner
    if not owners and not cancelled:
        print("nothing of this study is running")
    for owner in owners.values():
        if owner.alive():
            os.kill(owner.pid, signal.SIGINT)
            print(f"asked process {owner.pid} to stop")
        elif owner.alive() is None:
            print(f"a driver on {owner.host} (process {owner.pid}) holds stages: cancel it there")
    return 0


def cancel_jobs(opened: Opened, wanted: set[str]) -> set[str]:
    """Stop stages on SLURM; their keys."""
    jobs = slurm_jobs(opened)
    if jobs is None:
        return set()
    missing = {s.key: s for s in opened.standing().missing}
    taken = {}
    for key in opened.ledger.tried().intersection(missing):
        last = opened.ledger.last(key)
        if not last or last.state != "running" or not last.batch:
            continue
        alive = jobs.adopt(opened.plan.task(missing[key]), last) is None
        if alive and key in wanted:
            taken[key] = last
    for attempt in taken.values():  # first: a task looks here before each stage and during it
        opened.ledger.end(attempt, "stopped", "stopped", "cancelled by `harness cancel`")
    ended = jobs.cancel(taken)
    if taken:
        print(f"cancelled {len(taken):,} stages on SLURM ({len(ended):,} jobs ended)")
    return set(taken)
