"""`merge`: bring another results folder's artifacts and records into this one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.commands import common
from harness.commands.common import duration, plural
from harness.upkeep.merging import Merged, merge
from harness.upkeep.usage import size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "other", metavar="FOLDER", help="another results folder, which is only read"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be merged; change nothing"
    )
    parser.add_argument(
        "--keep-ours",
        action="store_true",
        help="merge although the folders disagree about numbers; the numbers of --results stay",
    )
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    done = merge(
        Path(args.other), Path(args.results), keep_ours=args.keep_ours, dry_run=args.dry_run
    )
    print(told(done, args.other, args.results, args.dry_run))
    for line in done.damaged:
        print(f"left behind, as it is damaged: {line}", file=sys.stderr)
    return 1 if done.damaged else 0


def told(done: Merged, source: str, target: str, dry_run: bool = False) -> str:
    """A sentence or two on what was merged."""
    verb = "would come" if dry_run else "came"
    rows = len(set().union(*done.rows.values()))  # a stage may have rows in several tables
    lines = [
        f"{plural(len(done.artifacts), 'artifact')} ({size(done.bytes)}) {verb} from {source} "
        f"to {target}; {done.shared:,} were there already"
    ]
    if rows:
        lines.append(f"of {plural(rows, 'stage')} only the numbers {verb}, not the artifact")
    if completed := len(set().union(*done.completed.values())):
        what = plural(completed, "stage that both have", "stages that both have")
        lines.append(f"{what} {verb} with numbers that {target} lacked")
    if done.names:
        lines.append(f"imported checkpoints: {', '.join(done.names)}")
    if done.behind_s >= 1:
        lines.append(
            f"{duration(done.behind_s)} of attempts stay in {source}, and `status` of {target} "
            "does not count them: at stages that both have made, or that are not done"
        )
    lines += [f"{target} keeps its own: {line}" for line in done.contradictions]
    return "\n".join(lines)
