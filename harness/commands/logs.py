"""`logs`: print the log of a stage's last attempt."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands import common
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
    parser.add_argument("--lines", type=int, default=0, help="only the last N lines of each")
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    opened = common.open_study(args)
    pattern = args.stage
    chosen = [
        s
        for s in opened.plan.stages.values()
        if s.kind == pattern or s.key.startswith(pattern) or pattern in s.label
    ]
    if not chosen:
        raise BadInput(
            f"no stage of {opened.study.name} matches {pattern!r}; "
            f"`{common.command(args, 'plan', '--stages')}` lists them"
        )
    tried = [(s, a) for s in chosen if (a := opened.ledger.last(s.key)) is not None]
    if not tried:
        raise BadInput(f"{len(chosen)} stages match {pattern!r}, none of them was tried yet")
    for stage, attempt in tried:
        print(f"==> {stage.label} ({attempt.state}) {attempt.log}")
        try:
            text = Path(attempt.log).read_text(errors="replace").splitlines()
        except OSError:
            text = ["(no log)"]
        print("\n".join(text[-args.lines :] if args.lines else text))
    return 0
