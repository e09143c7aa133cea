"""`run`: do everything of a study that is not done, then write its report.

Run it again at any time: it finds what is done, goes on with what is not, and never does a thing
twice. Ctrl-C lets running stages save their progress first; on SLURM it leaves the jobs running.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from typing import Any

from harness.commands import common, report
from harness.commands.common import Opened
from harness.commands.display import LiveDisplay, PlainDisplay
from harness.dispatch import budget, preflight
from harness.dispatch.driver import Driver
from harness.dispatch.executor import Executor
from harness.dispatch.standing import standing
from harness.errors import BadInput, Missing
from harness.plan import estimate
from harness.plan.index import index
from harness.plan.plan import Stage
from harness.store import records, studies
from harness.store.artifacts import CorruptArtifact

MANY = 1_000  # fragments that are merged before anything else is done


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would run; create and start nothing"
    )
    parser.add_argument("--no-report", action="store_true", help="do not write the PDF")
    parser.add_argument(
        "--report", metavar="FILE", help="the PDF's path (default reports/STUDY.pdf)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="local worker processes")
    parser.add_argument(
        "--executor", choices=("local", "slurm"), help="where stages run (default: the profile's)"
    )
    parser.add_argument(
        "--detach", action="store_true", help="SLURM: submit everything, and return"
    )
    parser.add_argument(
        "--allow-over-budget",
        action="store_true",
        help="start although the study may take more than dispatch.gpu_hours",
    )


def run(args: argparse.Namespace) -> int:
    if args.workers is not None:
        args.overrides = [*args.overrides, f"dispatch.workers={args.workers}"]
    if args.executor is not None:
        args.overrides = [*args.overrides, f"dispatch.executor={args.executor}"]
    opened = common.open_study(args)
    if args.detach and opened.study.settings.dispatch.executor != "slurm":
        raise BadInput("--detach leaves SLURM jobs behind; local workers end with their driver")
    if not opened.stages:
        raise BadInput("no stage is left: --only and --skip exclude everything")
    if args.dry_run:
        return dry_run(opened)
    state = opened.standing()
    missing = state.missing
    problems = preflight.problems(opened.study, missing)
    if problems:
        raise Missing(
            "\n".join([f"{opened.study.name} ({opened.study.profile}) cannot start:", *problems])
        )
    check_budget(args, opened, missing)
    opened.store.check_writable()
    studies.write(opened.store.root, index(opened.plan))
    compact(opened, above=MANY)  # also when we only submit: nobody else may come by for weeks
    code = drive(args, opened, state.done)
    if args.detach:
        return code
    compact(opened)
    if code != 130 and not args.no_report:
        report.write_report(opened, args.report)
    return code


def drive(args: argparse.Namespace, opened: Opened, done: set[str]) -> int:
    """Run the driver with a display; its exit code. `done`: keys of what is done already."""
    executor = make_executor(opened)
    kind = LiveDisplay if sys.stdout.isatty() else PlainDisplay
    display = kind(opened.stages, done, common.command(args, "retry"))
    driver = Driver(opened.plan, opened.stages, opened.store, opened.ledger, executor, display)
    interrupted: list[int] = []

    def interrupt(signum: int, frame: Any) -> None:
        del frame
        if interrupted:
            raise KeyboardInterrupt
        interrupted.append(signum)
        driver.stop()

    previous = {s: signal.signal(s, interrupt) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        with display:
            display.line(
                f"{opened.study.name} ({opened.study.profile}): {len(opened.stages):,} stages, "
                f"{len(done):,} done"
            )
            code = driver.detach() if args.detach else driver.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        executor.close()
        opened.store.sweep()
    for attempt in driver.failed.values():
        if attempt.ended is not None and attempt.pid != opened.ledger.owner.pid:
            from harness.dispatch.ledger import describe

            print(describe(attempt, common.command(args, "retry")))
    if driver.jobs and (interrupted or args.detach):
        return _left(args, driver, code, bool(interrupted))
    if interrupted and code != 1:
        print(f"stopped; go on with: {same(args)}", file=sys.stderr)
        return 130
    if driver.blocked:
        print(
            f"{len(driver.blocked)} stages wait for those that failed; "
            f"after a fix: {common.command(args, 'retry')}",
            file=sys.stderr,
        )
    return code


def _left(args: argparse.Namespace, driver: Driver, code: int, interrupted: bool) -> int:
    """Say how to come back to jobs that go on alone."""
    print(
        f"{len(driver.running):,} stages are queued or running and go on without this process, "
        f"{len(driver.waiting):,} are not submitted yet\n"
        f"  watch:  {common.command(args, 'status', '--watch')}\n"
        f"  return: {same(args)}\n"
        f"  stop:   {common.command(args, 'cancel')}",
        file=sys.stderr,
    )
    return 130 if interrupted and code != 1 else code


def same(args: argparse.Namespace) -> str:
    """This command again, for the same part of the study."""
    words = [w for name in ("only", "skip") for p in getattr(args, name) for w in (f"--{name}", p)]
    if args.allow_over_budget:
        words.append("--allow-over-budget")
    return common.command(args, "run", *words)


def check_budget(args: argparse.Namespace, opened: Opened, missing: list[Stage]) -> None:
    """Refuse to start what may take more GPU-hours than the study allows.

    Beside the selection's `missing`, all that the study has spent and has in the queue counts, or
    its parts would each be within the budget.
    """
    dispatch = opened.study.settings.dispatch
    if dispatch.executor != "slurm" or dispatch.gpu_hours is None or args.allow_over_budget:
        return
    measured = []
    history = opened.ledger.history(opened.plan.stages)
    stages = opened.plan.stages.values()
    state = standing(opened.plan, stages, opened.store, opened.ledger, history)
    wanted = {s.key for s in missing} - state.done
    wanted |= {k for k, a in state.latest.items() if a.state == "running" and a.batch is not None}
    for stage in stages:
        if stage.key in state.done:
            with contextlib.suppress(CorruptArtifact):
                manifest = opened.store.manifest(stage.kind, stage.key)
                if manifest is not None:
                    measured.append((stage.kind, manifest["measured"]))
    benchmarks = estimate.read_benchmarks(opened.store.root)
    rates = estimate.rates(measured, dispatch.device != "cpu", benchmarks, opened.plan)
    spent = [(kind, m["seconds"]) for kind, m in measured]
    lost = budget.spent(opened.plan, history).lost_gpu_hours
    asked = [s for s in stages if s.key in wanted]
    hours = budget.gpu_hours(opened.plan, asked, spent, rates, lost)
    reason = budget.refusal(hours, dispatch.gpu_hours)
    if reason is not None:
        raise BadInput(reason)


def make_executor(opened: Opened) -> Executor:
    """Local workers, or SLURM, as the profile says."""
    dispatch = opened.study.settings.dispatch
    if dispatch.executor == "slurm":
        from harness.dispatch.slurm.jobs import SlurmJobs

        return SlurmJobs(opened.store.root, opened.study)
    from harness.dispatch.local import LocalWorkers

    return LocalWorkers(opened.store.root, dispatch)


def compact(opened: Opened, above: int = 0) -> None:
    """Merge record fragments where there are more than `above`, if nobody else is at it."""
    if opened.ledger.claim("compaction"):
        try:
            records.compact(opened.store.root, above)
        finally:
            opened.ledger.release("compaction")


def dry_run(opened: Opened) -> int:
    """What `run` would do. Creates nothing."""
    state = opened.standing()
    for stage in state.missing:
        word = "failed before" if stage.key in state.failed else "would run"
        print(f"{word}: {stage.label}")
    print(f"{len(state.missing):,} stages to do, {len(state.done):,} done")
    for problem in preflight.problems(opened.study, state.missing):
        print(f"missing here: {problem}")
    return 0
