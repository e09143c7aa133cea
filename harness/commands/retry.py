"""`retry`: run failed stages again (and then everything that waited for them)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.commands import common
from harness.commands import run as run_verb
from harness.commands.common import Opened
from harness.dispatch.attempt_words import when
from harness.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    run_verb.add_arguments(parser)
    parser.add_argument(
        "--failed", action="store_true", help="all failed stages, which is the default"
    )
    parser.add_argument(
        "--stage",
        metavar="PATTERN",
        action="append",
        default=[],
        help="only these failed stages (default: all)",
    )


def run(args: argparse.Namespace) -> int:
    opened = common.open_study(args, count=True)
    keys = [s.key for s in opened.stages]
    if args.stage:
        meant = common.matching(args, opened, args.stage)
        keys = [s.key for s in opened.plan.select(args.stage) if s.key in set(keys)]
    if args.dry_run:
        common.note_absence(args.results)
        return dry_run(opened, keys)
    if not args.stage and not Path(args.results).exists():  # its name may be mistyped
        raise BadInput(
            f"results folder {args.results} is not there: nothing was run yet, and nothing failed; "
            f"to begin: {common.command(args, 'run')}"
        )
    forgiven = opened.ledger.forgive(keys)
    told = sys.stderr if args.json else sys.stdout
    if args.stage and not forgiven:
        print(
            f"{_none_of(len(meant))} failed; nothing was started "
            f"(to go on with the study: {common.command(args, 'run')})",
            file=told,
        )
        return 0
    count = f"{len(forgiven):,} failed {'stage is' if len(forgiven) == 1 else 'stages are'}"
    print(
        f"{count} tried again" if forgiven else "no stage has failed; what is missing goes on",
        file=told,
    )
    return run_verb.run(args)


def _none_of(count: int) -> str:
    one = count == 1
    return (
        "the stage that matches has not" if one else f"none of the {count:,} stages that match has"
    )


def dry_run(opened: Opened, keys: list[str]) -> int:
    """Print what `retry` would do. Changes nothing."""
    failed = opened.ledger.failed(keys)
    for attempt in failed.values():
        print(f"would try again: {attempt.label} ({when(attempt)}: {attempt.failure})")
        print(f"  it failed with: {attempt.error}")
    state = opened.state()
    passing = [
        (stage, last)
        for stage in state.missing
        if (last := state.latest.get(stage.key)) is not None
        and (last.state == "again" or (last.state == "failed" and stage.key not in failed))
        and stage.key in keys
    ]
    if not failed and not passing:
        print("no stage has failed")
    for stage, last in passing:
        print(f"would try again, as `run` does too: {stage.label} ({when(last)}: {last.failure})")
        print(f"  it failed with: {last.error}")
    told = {*failed} | {stage.key for stage, _ in passing}
    others = [s for s in state.missing if s.key not in told]
    if others:
        print(f"and then {len(others):,} more to do, which wait for these or are not begun yet")
    return 0
