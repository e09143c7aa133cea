"""`status`: how far a study is; what runs, what waits and for what, what failed, how to retry."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.commands import as_run, common
from harness.commands.common import Opened, duration
from harness.commands.display import progress_text
from harness.commands.seen import Shown, look
from harness.commands.spending import SHOWN
from harness.dispatch import view
from harness.dispatch.attempt_words import describe, summary, when
from harness.dispatch.budget import Spent
from harness.dispatch.ledger import Attempt
from harness.dispatch.view import Seen
from harness.spec.schema import STAGE_KINDS
from harness.store import Store, records
from harness.store.studies import Index

MOST_STAGES = 20  # told one by one
MOST_RUNS = 40  # told one by one without --runs
MOST_CAUSES = 5  # of failure, told with their logs
WATCH_S = 2.0
OF_RUNS = ("train", "sample", "evaluate", "subset")  # kinds that are counted with their run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)
    parser.add_argument(
        "--runs", action="store_true", help=f"one line per run, even of more than {MOST_RUNS}"
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="keep the screen up to date until nothing runs any more",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    common.note_absence(args.results)
    for note in records.reconcile(Store(args.results)):
        print(note, file=sys.stderr)
    if args.watch and not args.json and sys.stdout.isatty():
        return watch(args)
    while True:
        began = time.monotonic()
        opened = as_run.open_study(args)
        if isinstance(opened, Index):
            return print_as_run(args, opened)
        shown = look(opened)
        if args.json:
            print(json.dumps(document(opened, shown), indent=1), flush=True)
        else:
            print_status(args, opened, shown)
        if not args.watch or not shown.moves:
            return 1 if shown.failed else 0
        time.sleep(max(WATCH_S, 4 * (time.monotonic() - began)))  # a big study is not cheap to read


def watch(args: argparse.Namespace) -> int:
    """The screen, until nothing runs any more; then everything once more as text, which stays."""
    from rich.console import Console
    from rich.live import Live

    from harness.commands.screen import Screen, can_print

    opened = as_run.open_study(args)
    if isinstance(opened, Index):
        return print_as_run(args, opened)
    shown = look(opened)
    console, screen = Console(), Screen(opened, can_print("◐▁"))
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while shown.moves:
            began = time.monotonic()
            live.update(screen.draw(opened, shown, *console.size), refresh=True)
            took = time.monotonic() - began
            time.sleep(max(WATCH_S, 4 * took))  # a big study is not cheap to read
            opened = as_run.open_study(args)
            if isinstance(opened, Index):  # its file was moved meanwhile
                return print_as_run(args, opened)
            shown = look(opened)
    print_status(args, opened, shown)
    return 1 if shown.failed else 0


def document(opened: Opened, shown: Shown) -> dict[str, Any]:
    """The content of `--json`."""

    def entries(*states: str) -> list[dict[str, Any]]:
        return [
            {**summary(s.attempt), "reason": s.reason, "progress": s.progress}
            for s in shown.seen.values()
            if s.state in states and s.attempt
        ]

    return {
        "study": opened.study.name,
        "profile": opened.study.profile,
        "kinds": {
            kind: {"all": len(keys), **view.counts(shown.seen, keys)}
            for kind, keys in by_kind(opened, shown.seen).items()
        },
        "runs": [
            {"run": opened.study.runs[i].label, **view.counts(shown.seen, keys)}
            for i, keys in by_run(opened, shown.seen).items()
        ],
        **{state: entries(state) for state in ("running", "queued", "again", "failed")},
        "waiting": _reasons(shown.seen, "waiting"),
        "drivers": [asdict(owner) for owner in shown.drivers],
        "spent": asdict(shown.spent),
        "notes": shown.notes,
    }


def by_kind(opened: Opened, seen: Container[str]) -> dict[str, list[str]]:
    """Keys of what counts by stage kind, in the order of the work."""
    found: dict[str, list[str]] = {}
    for stage in opened.stages:
        if stage.key not in seen:
            continue
        found.setdefault(stage.kind, []).append(stage.key)
    return {kind: found[kind] for kind in STAGE_KINDS if kind in found}


def by_run(opened: Opened, seen: Container[str]) -> dict[int, list[str]]:
    """Keys of what only a run's model needs, by the run's index."""
    found: dict[int, list[str]] = {}
    for stage in opened.stages:
        if stage.key not in seen:
            continue
        if stage.run is not None and stage.kind in OF_RUNS:
            found.setdefault(stage.run, []).append(stage.key)
    return dict(sorted(found.items()))


# --- for people -----------------------------------------------------------------------------------


def print_status(args: argparse.Namespace, opened: Opened, shown: Shown) -> None:
    """The tables, then what runs, is queued, waits and failed."""
    at = f" at {time.strftime('%H:%M:%S')}" if args.watch else ""
    _print(f"{opened.study.name} ({opened.study.profile}) in {opened.store.root}/{at}")
    for note in shown.notes:
        print(f"note: {note}")
    for owner in shown.drivers:
        _print(f"driven by process {owner.pid} on {owner.host}")
    print()
    _print(f"{'stage':<12}{'all':>8}" + "".join(f"{word:>9}" for word in view.STATES))
    for kind, keys in by_kind(opened, shown.seen).items():
        _print(f"{kind:<12}{len(keys):>8,}{_cells(shown.seen, keys)}")
    per_run = by_run(opened, shown.seen)
    if len(per_run) > 1 and (args.runs or len(per_run) <= MOST_RUNS):
        labels = {i: opened.study.runs[i].label for i in per_run}
        width = max(12, 2 + max(map(len, labels.values())))
        print()
        _print(f"{'run':<{width}}{'all':>8}" + "".join(f"{word:>9}" for word in view.STATES))
        for index, keys in per_run.items():
            _print(f"{labels[index]:<{width}}{len(keys):>8,}{_cells(shown.seen, keys)}")
    elif len(per_run) > 1:
        _print(f"{len(per_run):,} runs (--runs shows one line for each)")
    print()
    _print_running(opened, shown.seen)
    for state, title in (
        ("queued", "queued"),
        ("again", "to be tried again"),
        ("waiting", "waiting"),
    ):
        reasons, ended = _reasons(shown.seen, state), _ended(shown.seen, state)
        for reason, count in list(reasons.items())[:MOST_CAUSES]:
            at = f" (the last {ended[reason]})" if reason in ended else ""
            if reason == view.READY and shown.drivers:
                reason = "ready, and start when there is room"
            _print(f"{title}: {count:,} {_stages(count)}{at}: {reason}")
        more = sum(list(reasons.values())[MOST_CAUSES:])
        if more:
            _print(f"{title}: {more:,} {_stages(more)} for other reasons (--json counts them)")
    _print_failed(shown.failed, common.again(args, opened))
    _print_spent(shown.spent)
    if not shown.moves and any(s.state in ("again", "waiting") for s in shown.seen.values()):
        to_go_on = f"go on with: {common.command(args, 'run')}"
        if opened.text is not None:
            to_go_on = f"its file is not available; its text is kept in {opened.store.root}/studies"
        print(f"nothing of it runs now; {to_go_on}")


def print_as_run(args: argparse.Namespace, index: Index) -> int:
    """The same of a study that cannot be planned here, as far as its `run` left word of it."""
    root = Path(args.results)
    seen = as_run.seen(root, index)
    kinds = {
        kind: [key for key, stage in index.stages.items() if stage.kind == kind]
        for kind in STAGE_KINDS
    }
    runs: dict[int, list[str]] = {}
    for key, stage in index.stages.items():
        if stage.runs and stage.kind in OF_RUNS:
            runs.setdefault(stage.runs[0], []).append(key)
    failed = [s.attempt for s in seen.values() if s.state == "failed" and s.attempt]
    if args.json:
        told = {
            "study": index.study,
            "profile": index.profile,
            "kinds": {k: {"all": len(v), **view.counts(seen, v)} for k, v in kinds.items() if v},
            "runs": [{"run": index.runs[i].label, **view.counts(seen, runs[i])} for i in runs],
            "failed": [summary(attempt) for attempt in failed],
        }
        print(json.dumps(told, indent=1), flush=True)
        return 1 if failed else 0
    _print(f"{index.study} ({index.profile}) in {root}/, as it was run: {index.written}\n")
    _print(f"{'stage':<12}{'all':>8}" + "".join(f"{word:>9}" for word in view.STATES))
    for kind, keys in kinds.items():
        if keys:
            _print(f"{kind:<12}{len(keys):>8,}{_cells(seen, keys)}")
    width = max([12, *(2 + len(index.runs[i].label) for i in runs)])
    for i in sorted(runs) if len(runs) > 1 and (args.runs or len(runs) <= MOST_RUNS) else ():
        _print(f"{index.runs[i].label:<{width}}{len(runs[i]):>8,}{_cells(seen, runs[i])}")
    for key, one in seen.items():
        if one.state == "running":
            _print(f"running: {as_run.label(index, key)}")
    _print_failed(failed, f"where {index.study} can be run: {common.command(args, 'run')}")
    return 1 if failed else 0


def _print(text: str) -> None:
    """A line that a terminal does not break; whole, where nobody counts columns."""
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
        text = text if len(text) <= columns else f"{text[: columns - 1]}…"
    print(text, flush=True)


def _stages(count: int) -> str:
    return "stage" if count == 1 else "stages"


def _cells(seen: Mapping[str, Seen], keys: Iterable[str]) -> str:
    row = view.counts(seen, keys)
    return "".join(f"{n:>9,}" if n else f"{'-':>9}" for n in row.values())


def _reasons(seen: Mapping[str, Seen], state: str) -> dict[str, int]:
    found = Counter(s.reason or "no reason given" for s in seen.values() if s.state == state)
    return dict(found.most_common())


def _ended(seen: Mapping[str, Seen], state: str) -> dict[str, str]:
    """When the last attempt ended that each reason tells of, as text."""
    found: dict[str, Attempt] = {}
    for one in seen.values():
        last, reason = one.attempt, one.reason
        if one.state == state and last and last.ended and last.error and last.error in reason:
            other = found.setdefault(reason, last)
            found[reason] = last if last.ended > (other.ended or 0.0) else other
    return {reason: when(attempt) for reason, attempt in found.items()}


def _print_running(opened: Opened, seen: Mapping[str, Seen]) -> None:
    labels = {s.key: s.label for s in opened.stages}
    running = [(labels[k], s) for k, s in seen.items() if s.state == "running" and s.attempt]
    for label, one in running[:MOST_STAGES]:
        assert one.attempt is not None
        progress = dict(one.progress or {})
        ran = progress.get("ran") or time.time() - one.attempt.started
        parts = [progress_text(progress), one.reason, f"for {duration(ran)}"]
        _print(f"running: {label}: {', '.join(part for part in parts if part)}")
    if len(running) > MOST_STAGES:
        _print(f"running: {len(running) - MOST_STAGES:,} more (--json lists all)")


def _print_failed(failed: list[Attempt], retry: str) -> None:
    """Each cause once, with the log of its first stage."""
    causes: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in failed:
        causes.setdefault((attempt.failure or "error", attempt.error or ""), []).append(attempt)
    classes = Counter(a.failure or "error" for a in failed)
    if classes:
        print("failed: " + ", ".join(f"{n:,} {name}" for name, n in classes.most_common()))
    for first, *others in list(causes.values())[:MOST_CAUSES]:
        print(describe(first, retry))
        if others:
            shown = ", ".join(a.label for a in others[:3])
            more = f" and {len(others) - 3:,} more" if len(others) > 3 else ""
            print(f"  the same of {len(others):,} other {_stages(len(others))}: {shown}{more}")
    if len(causes) > MOST_CAUSES:
        print(f"and {len(causes) - MOST_CAUSES:,} other causes (--json lists all failed stages)")


def _print_spent(spent: Spent) -> None:
    if spent.kept_s or spent.lost_s:
        text = f"time taken: {duration(spent.kept_s)} by stages that are done"
        if spent.untimed:
            text += f" (the time of {spent.untimed:,} of them is not known here)"
        if spent.lost_s:
            text += f", {duration(spent.lost_s)} by attempts that failed or were stopped"
        _print(text)
    if spent.kept_gpu_hours + spent.lost_gpu_hours >= SHOWN:
        text = f"GPU-hours: {spent.kept_gpu_hours:,.1f} by stages that are done"
        if spent.lost_gpu_hours:
            text += f", {spent.lost_gpu_hours:,.1f} by attempts that failed or were stopped"
        _print(text)
