"""`status`: how far a study is; what runs, what failed, why, and how to retry."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from harness.commands import common
from harness.commands.common import Opened, duration
from harness.commands.display import progress_text
from harness.dispatch import view
from harness.dispatch.ledger import describe, summary
from harness.dispatch.slurm import SlurmJobs
from harness.dispatch.slurm_cluster import Cluster
from harness.dispatch.view import Seen
from harness.spec.schema import STAGE_KINDS

MOST_SHOWN = 20  # stages told one by one


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
    jobs = slurm_jobs(opened)
    seen, notes = view.look(opened.plan, opened.stages, state, opened.ledger, jobs)
    if jobs is not None:
        notes += jobs.foreign(opened.plan.stages)
    left = sum(s.state != "done" for s in seen.values())
    failed = [s.attempt for s in seen.values() if s.state == "failed" and s.attempt]
    if args.json:
        print(json.dumps(_document(opened, seen, notes), indent=1))
        return {"missing": left, "failed": len(failed)}
    print(f"{opened.study.name} ({opened.study.profile}) in {opened.store.root}/")
    for note in notes:
        print(f"note: {note}")
    header = "".join(f"{word:>9}" for word in ("all", *view.STATES))
    print(f"{'stage':<12}{header}")
    by_kind: dict[str, list[str]] = {}
    for stage in opened.stages:
        by_kind.setdefault(stage.kind, []).append(stage.key)
    for kind in sorted(by_kind, key=STAGE_KINDS.index):
        row = view.counts(seen, by_kind[kind])
        print(f"{kind:<12}{len(by_kind[kind]):>9,}" + "".join(f"{n:>9,}" for n in row.values()))
    if args.runs:
        _print_runs(opened, seen)
    _print_running(opened, seen)
    retry = common.command(args, "retry")
    classes = Counter(a.failure or "error" for a in failed)
    if classes:
        print("failed: " + ", ".join(f"{n} {name}" for name, n in classes.most_common()))
    for attempt in failed[:MOST_SHOWN]:
        print(describe(attempt, retry))
    if len(failed) > MOST_SHOWN:
        print(f"and {len(failed) - MOST_SHOWN:,} more failed stages (--json lists all)")
    return {"missing": left, "failed": len(failed)}


def slurm_jobs(opened: Opened) -> SlurmJobs | None:
    """The study's SLURM jobs, where there is a SLURM."""
    if not (opened.store.root / "slurm").exists() or shutil.which("squeue") is None:
        return None
    dispatch = opened.study.settings.dispatch
    return SlurmJobs(opened.store.root, dispatch, opened.study.name, Cluster(tries=2))


def _document(opened: Opened, seen: Mapping[str, Seen], notes: list[str]) -> dict[str, Any]:
    kinds: dict[str, Any] = {}
    for stage in opened.stages:
        kinds.setdefault(stage.kind, []).append(stage.key)

    def entries(*states: str) -> list[dict[str, Any]]:
        return [
            {**summary(s.attempt), "reason": s.reason, "progress": s.progress}
            for s in seen.values()
            if s.state in states and s.attempt
        ]

    return {
        "study": opened.study.name,
        "profile": opened.study.profile,
        "kinds": {k: {"all": len(v), **view.counts(seen, v)} for k, v in kinds.items()},
        "running": entries("running"),
        "queued": entries("queued"),
        "again": entries("again"),
        "failed": entries("failed"),
        "notes": notes,
    }


def _print_running(opened: Opened, seen: Mapping[str, Seen]) -> None:
    """What runs, with progress; what is queued, by reason; what is tried again, and why."""
    labels = {s.key: s.label for s in opened.stages}
    running = [(k, s) for k, s in seen.items() if s.state == "running" and s.attempt]
    for key, one in running[:MOST_SHOWN]:
        assert one.attempt is not None
        text = f"running for {duration(time.time() - one.attempt.started)}: {labels[key]}"
        if one.progress:
            text += f"  {progress_text(dict(one.progress))}"
            if one.progress.get("left_s") is not None:
                text += f", about {duration(one.progress['left_s'])} left"
        print(text + (f" ({one.reason})" if one.reason else ""))
    if len(running) > MOST_SHOWN:
        print(f"and {len(running) - MOST_SHOWN:,} more are running")
    queued = Counter(s.reason or "pending" for s in seen.values() if s.state == "queued")
    for reason, count in queued.most_common():
        print(f"queued: {count:,} stages: {reason}")
    again = Counter(s.reason for s in seen.values() if s.state == "again")
    for reason, count in again.most_common(MOST_SHOWN):
        print(f"to be tried again: {count:,} stages: {reason}")


def _print_runs(opened: Opened, seen: Mapping[str, Seen]) -> None:
    per_run: dict[int, list[str]] = {}
    for stage in opened.stages:
        if stage.run is not None and stage.kind in ("train", "sample", "evaluate"):
            per_run.setdefault(stage.run, []).append(stage.key)
    for index, keys in sorted(per_run.items()):
        row = view.counts(seen, keys)
        states = ", ".join(f"{n} {name}" for name, n in row.items() if n and name != "done")
        label = opened.study.runs[index].label
        print(f"  {label:<40}{row['done']:>5} of {len(keys):<5}{states}")
