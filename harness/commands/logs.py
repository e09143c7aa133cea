"""`logs`: print the logs of a stage's attempts."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands import common
from harness.commands.common import Opened
from harness.dispatch.ledger import Attempt
from harness.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stage", metavar="STAGE", help="a key's beginning, a stage kind, or text of its label"
    )
    parser.add_argument(
        "study",
        metavar="STUDY",
        nargs="?",
        default="studies/scaling.yaml",
        help="default: studies/scaling.yaml",
    )
    parser.add_argument("--profile", metavar="NAME")
    parser.add_argument(
        "--set", metavar="FIELD=VALUE", action="append", default=[], dest="overrides"
    )
    parser.add_argument("--all", action="store_true", help="of all attempts, not only the last")
    parser.add_argument(
        "--lines", type=int, default=0, metavar="N", help="only the last N lines of each"
    )
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    opened = common.open_study(args)
    chosen = common.matching(args, opened, [args.stage])
    latest = opened.ledger.latest(s.key for s in chosen)
    if not latest:
        raise BadInput(
            f"{len(chosen):,} stages match {args.stage!r}, and none of them was started yet under "
            f"{args.results}/ (`{common.command(args, 'status')}` says where they stand)"
        )
    for stage in chosen:
        for attempt in _attempts(opened, latest.get(stage.key), args.all):
            print(f"==> {stage.label}: {outcome(attempt)}: {attempt.log}")
            print(_text(attempt, args.lines))
    return 0


def _attempts(opened: Opened, last: Attempt | None, every: bool) -> list[Attempt]:
    if last is None:
        return []
    return opened.ledger.attempts(last.key) if every else [last]


def outcome(attempt: Attempt) -> str:
    """How an attempt ended, in a few words."""
    if attempt.state in ("done", "running") or not attempt.failure:
        return attempt.state
    state = "failed" if attempt.state in ("again", "forgiven") else attempt.state
    why = f" ({attempt.failure})" if attempt.failure != state else ""
    return f"{state}{why}: {attempt.error}" if attempt.error else f"{state}{why}"


def _text(attempt: Attempt, lines: int) -> str:
    try:
        text = Path(attempt.log).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        waits = attempt.state == "running" and attempt.batch is not None
        return "(no log: it waits in SLURM's queue)" if waits else "(no log)"
    except OSError as error:
        return f"(its log cannot be read: {error.strerror})"
    return "\n".join(text[-lines:] if lines else text)
