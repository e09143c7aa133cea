"""`status`: how far a study is; what runs, what failed, why, and how to retry."""

from __future__ import annotations

import argparse
import json
import time

from harness.commands import common
from harness.commands.common import Opened, duration
from harness.dispatch.ledger import describe, summary
from harness.spec.schema import STAGE_KINDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)
    parser.add_argument("--runs", action="store_true", help="one line per run as well")
    parser.add_argument("--watch", action="store_true", help="show it again every two seconds")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    while True:
        opened = common.open_study(args)
        shown = _show(args, opened)
        if not args.watch or shown["missing"] == 0:
            return 1 if shown["failed"] else 0
        time.sleep(2)


def _show(args: argparse.Namespace, opened: Opened) -> dict[str, int]:
    state = opened.standing()
    running = {}
    for key in opened.ledger.tried().intersection(s.key for s in state.missing):
        last = opened.ledger.last(key)
        if last and last.state == "running" and opened.ledger.alive(key):
            running[key] = last
    counts: dict[str, list[int]] = {}
    for stage in opened.stages:
        row = counts.setdefault(stage.kind, [0, 0, 0, 0])
        row[0] += 1
        row[1] += stage.key in state.done
        row[2] += stage.key in running
        row[3] += stage.key in state.failed
    if args.json:
        print(
            json.dumps(
                {
                    "study": opened.study.name,
                    "profile": opened.study.profile,
                    "kinds": {
                        kind: dict(zip(("all", "done", "running", "failed"), row, strict=True))
                        for kind, row in counts.items()
                    },
                    "running": [summary(a) for a in running.values()],
                    "failed": [summary(a) for a in state.failed.values()],
                },
                indent=1,
            )
        )
    else:
        print(f"{opened.study.name} ({opened.study.profile}) in {opened.store.root}/")
        print(f"{'stage':<12}{'all':>8}{'done':>8}{'running':>9}{'failed':>8}{'waiting':>9}")
        for kind in sorted(counts, key=STAGE_KINDS.index):
            every, done, now, failed = counts[kind]
            waiting = every - done - now - failed
            print(f"{kind:<12}{every:>8,}{done:>8,}{now:>9,}{failed:>8,}{waiting:>9,}")
        if args.runs:
            _print_runs(opened, state.done)
        for attempt in running.values():
            print(f"running for {duration(time.time() - attempt.started)}: {attempt.label}")
        retry = common.command(args, "retry")
        for attempt in state.failed.values():
            print(describe(attempt, retry))
    return {"missing": len(state.missing), "failed": len(state.failed)}


def _print_runs(opened: Opened, done: set[str]) -> None:
    per_run: dict[int, list[int]] = {}
    for stage in opened.stages:
        if stage.run is not None and stage.kind in ("train", "sample", "evaluate"):
            row = per_run.setdefault(stage.run, [0, 0])
            row[0] += 1
            row[1] += stage.key in done
    for index, (every, ready) in sorted(per_run.items()):
        print(f"  {opened.study.runs[index].label:<40}{ready:>5} of {every}")
