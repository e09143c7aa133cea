"""`logs`: print the logs of a stage's attempts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from harness.commands import common
from harness.commands.common import Opened
from harness.commands.seen import queue
from harness.dispatch import view
from harness.dispatch.attempt_words import log_of
from harness.dispatch.ledger import Attempt
from harness.dispatch.view import Seen
from harness.errors import BadInput
from harness.plan.plan import Stage

DEFAULT = "scaling"  # the study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stage", metavar="STAGE", help="a stage kind, the beginning of a key, or text in its label"
    )
    parser.add_argument(
        "study",
        metavar="STUDY",
        nargs="?",
        default=DEFAULT,
        help=f"the study (default: {DEFAULT})",
    )
    parser.add_argument("--profile", metavar="NAME", help="default: the study's own choice")
    parser.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="override a setting as in the run (may be repeated)",
    )
    parser.add_argument(
        "--all", action="store_true", help="print the logs of all attempts, not only of the last"
    )
    parser.add_argument(
        "--lines", type=int, default=0, metavar="N", help="only the last N lines of each"
    )
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    if args.stage.endswith((".yaml", ".yml")):  # the study was given first, as elsewhere
        args.stage, args.study = args.study, args.stage
        if args.stage == DEFAULT:
            raise BadInput(
                f"which stage of {args.study}? Give its kind, as in logs train {args.study}; "
                f"`python -m harness plan {args.study} --stages` lists them"
            )
    opened = common.open_study(args)
    chosen = common.matching(args, opened, [args.stage])
    latest = opened.ledger.latest(s.key for s in chosen)
    if not latest:
        raise BadInput(
            f"{_matching(len(chosen), args.stage)} started yet under "
            f"{args.results}/ (`{common.command(args, 'status')}` says where they stand)"
        )
    silent = _silent(opened, chosen, latest)
    for stage in chosen:
        for attempt in _attempts(opened, latest.get(stage.key), args.all):
            now = silent.get(stage.key) if attempt == latest[stage.key] else None
            how, path = outcome(attempt), log_of(attempt)
            if now is None:
                text = _text(path, args.lines)
            elif now.state in ("queued", "running"):
                how, path = now.state, attempt.log
                text = f"(it is {how}: no log yet{f'; {now.reason}' if now.reason else ''})"
            else:
                how = f"{now.state}: {now.reason}" if now.reason else now.state
                text = _text(path, args.lines)
            print(f"==> {stage.label}: {how}: {path}")
            print(text)
    return 0


def _matching(count: int, pattern: str) -> str:
    if count == 1:
        return f"1 stage matches {pattern!r}, and it was not"
    return f"{count:,} stages match {pattern!r}, and none of them was"


def _silent(
    opened: Opened, chosen: list[Stage], latest: Mapping[str, Attempt]
) -> Mapping[str, Seen]:
    """Where those stages stand that a queue was given and that have no log."""
    found = []
    for stage in chosen:
        last = latest.get(stage.key)
        if last and last.batch and last.state == "running" and not Path(last.log).exists():
            found.append(stage)
    if not found:
        return {}
    jobs = queue(opened, latest.values())
    return view.look(opened.plan, found, opened.state(), opened.ledger, jobs)[0]


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


def _text(path: str, lines: int) -> str:
    try:
        text = Path(path).read_text(errors="replace").replace("\0", "").splitlines()
    except FileNotFoundError:
        return "(no log)"
    except OSError as error:
        return f"(its log cannot be read: {error.strerror})"
    return "\n".join(text[-lines:] if lines else text)
