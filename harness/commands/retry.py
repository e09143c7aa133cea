"""`retry`: run failed stages again (and then everything that waited for them)."""

from __future__ import annotations

import argparse

from harness.commands import common
from harness.commands import run as run_verb


def add_arguments(parser: argparse.ArgumentParser) -> None:
    run_verb.add_arguments(parser)
    parser.add_argument(
        "--failed", action="store_true", help="all that failed (as without any option)"
    )
    parser.add_argument(
        "--stage",
        metavar="PATTERN",
        action="append",
        default=[],
        help="only these failed stages (default: all that failed)",
    )


def run(args: argparse.Namespace) -> int:
    opened = common.open_study(args)
    keys = [s.key for s in opened.stages]
    if args.stage:
        meant = common.matching(args, opened, args.stage)
        keys = [s.key for s in opened.plan.select(args.stage) if s.key in set(keys)]
    if args.dry_run:
        for attempt in opened.ledger.failed(keys).values():
            print(f"would try again: {attempt.label}")
        return 0
    forgiven = opened.ledger.forgive(keys)
    if args.stage and not forgiven:
        print(
            f"none of the {len(meant):,} stages that match has failed; nothing was started "
            f"(to go on with the study: {common.command(args, 'run')})"
        )
        return 0
    count = f"{len(forgiven):,} failed {'stage is' if len(forgiven) == 1 else 'stages are'}"
    print(f"{count} tried again" if forgiven else "no stage has failed; what is missing goes on")
    return run_verb.run(args)
