"""`run`: do everything of a study that is not done, then write its report.

Run it again at any time: it finds what is done, goes on with what is not, and never does a thing
twice. Ctrl-C lets running stages save their progress first; what a queue has goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence, Set
from typing import Any

from harness.commands import common, fresh, report, report_place
from harness.commands.common import Opened, plural
from harness.commands.display import LiveDisplay, PlainDisplay
from harness.commands.encoded import encoded, of_stage
from harness.commands.events import EventStream
from harness.commands.remarks import refuse_too_few, unmeasured
from harness.commands.results import recorded
from harness.commands.spending import Spending
from harness.components.executor import BUILT_IN
from harness.dispatch import budget, identity, preflight, unheard
from harness.dispatch.attempt_words import describe
from harness.dispatch.driver import Driver
from harness.dispatch.executors import executor_of
from harness.dispatch.merging import MANY, merge
from harness.dispatch.notify import Notices
from harness.dispatch.policy import Watch
from harness.dispatch.study_state import StudyState, removed, study_state
from harness.errors import BadInput, HarnessError, Missing
from harness.plan import estimate
from harness.plan.index import index
from harness.plan.plan import Stage
from harness.spec import remarks as of_settings
from harness.store import component_files, studies
from harness.store.artifacts import CorruptArtifact


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would run; start and write nothing"
    )
    parser.add_argument(
        "--json", action="store_true", help="print events, one JSON object per line"
    )
    parser.add_argument("--no-report", action="store_true", help="do not write the PDF")
    parser.add_argument(
        "--report", metavar="FILE", help="the PDF's path (default: reports/STUDY.pdf)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="number of local worker processes")
    parser.add_argument(
        "--executor",
        metavar="NAME",
        help=f"the executor: {', '.join(BUILT_IN)}, or another (default: the profile's)",
    )
    parser.add_argument(
        "--detach", action="store_true", help="submit everything to the queue, and return"
    )
    parser.add_argument(
        "--allow-over-budget",
        action="store_true",
        help="start although the study may take more than dispatch.gpu_hours",
    )
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="also run what only failed stages need, such as training that cannot be measured",
    )
    parser.add_argument(
        "--remake",
        action="store_true",
        help="make again what was removed, where a measurement needs it",
    )

    parser.add_argument(
        "--same-output",
        action="store_true",
        help="say that a component file which changed under the same version gives the same output",
    )


def run(args: argparse.Namespace) -> int:
    if not args.json:
        return do(args)
    if args.dry_run:
        raise BadInput("--json tells what happens, and with --dry-run nothing does: plan --json")
    code, error = 2, None
    args.out, args.stream = sys.stdout, None
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for programs
        try:
            code = do(args)
        except HarnessError as failure:
            error = str(failure)
            raise
        finally:
            stream = args.stream or EventStream([], set(), "", args.out)
            stream.closed(code, error)
    return code


def do(args: argparse.Namespace) -> int:
    """Everything that is not done, and the report."""
    report_place.check(args.report)
    if args.workers is not None:
        args.overrides = [*args.overrides, f"dispatch.workers={args.workers}"]
    if args.executor is not None:
        args.overrides = [*args.overrides, f"dispatch.executor={args.executor}"]
    opened = common.open_study(args, count=True)
    refuse_too_few(opened)
    executor = executor_of(opened.study)
    if args.detach and executor.policy != "queue":
        raise BadInput(
            f"--detach leaves jobs in a queue; what the executor {executor.name} runs ends with it"
        )
    if not opened.stages:
        raise BadInput("no stage is left: --only and --skip exclude everything")
    if args.dry_run:
        return dry_run(opened, args.remake)
    state = opened.state()
    missing = state.missing
    if state.asks and not args.remake:
        raise BadInput(removed(state))
    seen: list[str] = []  # of images that are not encoded yet
    problems = preflight.problems(opened.plan, missing, opened.store.root, seen)
    if problems:
        raise Missing(
            "\n".join([f"{opened.study.name} ({opened.study.profile}) cannot start:", *problems])
        )
    files = identity.look(opened.plan, opened.stages, opened.store, every=True)
    if files.changed:
        raise BadInput("\n".join(files.changed))
    notes = [*opened.plan.notes, *seen, *files.notes, *identity.absent(opened.study)]
    notes += unheard.sentences(opened.study)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    check_budget(args, opened, missing)
    opened.store.check_writable()
    if missing and not (args.no_report or args.detach):
        report_place.check_writable(report.report_path(opened, args.report))
    brought = opened.study.components
    if not args.same_output and (sentences := component_files.changed(brought, opened.store.root)):
        raise BadInput("\n".join(sentences))
    component_files.keep(brought, opened.store.root)
    component_files.remember(brought, opened.store.root)
    studies.write(opened.store.root, index(opened.plan))
    study = opened.study
    notices = Notices(study.settings.dispatch.notify, study.name, study.profile)
    code, error = 2, None
    try:
        code = drive(args, opened, state, notices, notes)
        if args.detach:
            return code
        stream: EventStream | None = args.stream if args.json else None
        merge(opened.store.root, opened.ledger, watch=stream)
        for note in unmeasured(opened):
            print(f"note: {note}")
            if stream is not None:
                stream.note(note)
        if code != 130 and not args.no_report:
            if opened.state().done or recorded(opened):
                path = report.write_report(opened, args.report)
                if stream is not None:
                    stream.write("report", path=str(path))
            else:
                print("no report: nothing is recorded yet")
    except HarnessError as failure:
        error = str(failure)
        raise
    finally:
        notices.ended(code, error)
        for trouble in notices.troubles:
            print(trouble, file=sys.stderr)
    return code


def since(done: Set[str], watch: Watch) -> Watch:
    """`watch`, which hears as found what was done since `done` was counted and nobody told.

    A job ends, or another driver's stage, before this run's driver counts the stages itself.
    """
    known = set(done)

    def hear(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "stock":
            for one in content["stages"]:
                if one.key in content["done"] and one.key not in known:
                    hear("found", one, {})
        elif event in ("done", "found") and stage is not None:
            known.add(stage.key)
        watch(event, stage, content)

    return hear


def drive(
    args: argparse.Namespace,
    opened: Opened,
    state: StudyState,
    notices: Notices | None = None,
    printed: Sequence[str] = (),
) -> int:
    """Run the driver with a display; its exit code. printed: notes that people have read."""
    display = display_of(args, opened, state)
    for note in printed if args.json else ():
        display.note(note)
    # also when we only submit: nobody else may come by for weeks
    merge(opened.store.root, opened.ledger, MANY, args.stream if args.json else None)
    executor = executor_of(opened.study).open(opened.store.root, opened.study)

    def watch(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        display(event, stage, content)
        if event in ("done", "found") and stage is not None and stage.kind == "encode":
            for note in of_stage(opened.store, stage.key):  # before anything is trained on it
                display.note(note)
        if notices is not None:
            notices(event, stage, content)

    driver = Driver(
        opened.plan,
        opened.stages,
        opened.store,
        opened.ledger,
        executor,
        since(state.done, watch),
        args.remake,
        args.keep_going,
    )
    interrupted: list[int] = []

    def interrupt(signum: int, frame: Any) -> None:
        del frame
        if interrupted:
            raise KeyboardInterrupt
        interrupted.append(signum)
        driver.stop()

    previous = {s: signal.signal(s, interrupt) for s in (signal.SIGINT, signal.SIGTERM)}
    words = fresh.command(
        args.study, args.profile, args.overrides, args.results, getattr(args, "report", None)
    )
    asked = opened.study.settings.report.refresh_minutes
    minutes = 0.0 if args.no_report or args.detach else asked
    try:
        with display, fresh.kept(words, minutes):
            display.line(
                f"{opened.study.name} ({opened.study.profile}): "
                f"{plural(len(state.stages), 'stage')}, {len(state.done):,} done"
            )
            said = [*of_settings.remarks(opened.study), *of_settings.young_averages(opened.study)]
            for note in [*said, *encoded(opened)]:
                display.note(note)
            code = driver.detach() if args.detach else driver.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        executor.close()
        opened.store.sweep()
    for key, attempt in driver.agenda.failed.items():
        if driver.before.get(key) == attempt:  # nothing has changed that it may come from
            print(describe(attempt, common.again(args, opened)))
    if driver.policy.outlives and (interrupted or args.detach):
        return _left(args, driver, code, bool(interrupted))
    if interrupted and code != 1:
        print(f"stopped; go on with: {same(args)}", file=sys.stderr)
        return 130
    held = len(driver.agenda.held)
    if held:
        print(
            f"{plural(held, 'stage')} not started: what they lead to cannot be done "
            "(--keep-going does them all the same)",
            file=sys.stderr,
        )
    if len(driver.agenda.blocked) > held:
        print(
            f"{waits(len(driver.agenda.blocked) - held)} for those that failed; "
            f"after a fix: {common.again(args, opened)}",
            file=sys.stderr,
        )
    if code == 3:
        left = len(driver.agenda.stages) - len(driver.agenda.done)
        print(f"{plural(left, 'stage')} not done; go on with: {same(args)}", file=sys.stderr)
    return code


def display_of(args: argparse.Namespace, opened: Opened, state: StudyState) -> PlainDisplay:
    """The display of the run: for programs, for a terminal, or as lines."""
    retry, known = common.again(args, opened), known_seconds(opened, state.missing)
    if args.json:
        args.stream = EventStream(state.stages, state.done, retry, args.out, known)
        args.stream.opened(opened.study.name, opened.study.profile)
        stream: PlainDisplay = args.stream
        return stream
    kind = LiveDisplay if sys.stdout.isatty() else PlainDisplay
    return kind(state.stages, state.done, retry, known=known, spending=Spending(opened))


def known_seconds(opened: Opened, missing: list[Stage]) -> dict[str, float]:
    """Estimated seconds of the stages to do, by key, from what was measured here before."""
    from harness.commands.plan import measured_rates

    rates = measured_rates(opened)
    found: dict[str, float] = {}
    if rates.measured:
        for stage in missing:
            model, data = (
                estimate.model_of(opened.plan, stage),
                estimate.data_of(opened.plan, stage),
            )
            seconds = rates.seconds(stage, model, data)
            if seconds is not None:
                found[stage.key] = seconds
    return found


def _left(args: argparse.Namespace, driver: Driver, code: int, interrupted: bool) -> int:
    """Say how to come back to jobs that go on alone."""
    running, waiting = len(driver.agenda.running), len(driver.agenda.waiting)
    print(
        f"{_where(running, waiting)}\n"
        f"  watch:  {common.command(args, 'status', '--watch')}\n"
        f"  return: {same(args)}\n"
        f"  stop:   {common.command(args, 'cancel')}",
        file=sys.stderr,
    )
    return 130 if interrupted and code != 1 else code


def _where(running: int, waiting: int) -> str:
    """What goes on alone, and what does not."""
    not_yet = f"{plural(waiting, 'stage')} {'is' if waiting == 1 else 'are'} not submitted yet"
    if not running:
        return f"nothing is queued or running{f'; {not_yet}' if waiting else ''}"
    alone = (
        "is queued or running and goes on" if running == 1 else "are queued or running and go on"
    )
    goes_on = f"{plural(running, 'stage')} {alone} without this process"
    return f"{goes_on}{f', {not_yet}' if waiting else ''}"


def waits(count: int) -> str:
    """ "1 stage waits", "2 stages wait"."""
    return f"{plural(count, 'stage')} {'waits' if count == 1 else 'wait'}"


def same(args: argparse.Namespace) -> str:
    """This command again, for the same part of the study."""
    words = [w for name in ("only", "skip") for p in getattr(args, name) for w in (f"--{name}", p)]
    if args.allow_over_budget:
        words.append("--allow-over-budget")
    if args.keep_going:
        words.append("--keep-going")
    if args.remake:
        words.append("--remake")
    return common.command(args, "run", *words)


def check_budget(args: argparse.Namespace, opened: Opened, missing: list[Stage]) -> None:
    """Refuse to start what may take more GPU-hours than the study allows.

    Beside the selection's `missing`, all that the study has spent and has in the queue counts, or
    its parts would each be within the budget.
    """
    dispatch = opened.study.settings.dispatch
    queue = executor_of(opened.study).policy == "queue"
    if not queue or dispatch.gpu_hours is None or args.allow_over_budget:
        return
    measured = []
    history = opened.ledger.history(opened.plan.stages)
    stages = opened.plan.stages.values()
    state = study_state(opened.plan, stages, opened.store, opened.ledger, history)
    wanted = {s.key for s in missing} - state.done
    wanted |= {k for k, a in state.latest.items() if a.state == "running" and a.batch is not None}
    for stage in stages:
        if stage.key in state.done:
            with contextlib.suppress(CorruptArtifact):
                manifest = opened.store.manifest(stage.kind, stage.key)
                if manifest is not None and manifest.measured is not None:
                    measured.append((stage.kind, manifest.measured))
    benchmarks = estimate.read_benchmarks(opened.store.root)
    rates = estimate.rates(measured, dispatch.device != "cpu", benchmarks, opened.plan)
    spent = [(kind, m.seconds) for kind, m in measured]
    lost = budget.spent(opened.plan, history).lost_gpu_hours
    asked = [s for s in stages if s.key in wanted]
    hours = budget.gpu_hours(opened.plan, asked, spent, rates, lost)
    reason = budget.refusal(hours, dispatch.gpu_hours)
    if reason is not None:
        raise BadInput(reason)


def dry_run(opened: Opened, remake: bool = False) -> int:
    """Print what `run` would do. Creates nothing."""
    state = opened.state()
    for stage in state.missing:
        word = "failed before" if stage.key in state.failed else "would run"
        print(f"{word}: {stage.label}")
    print(f"{plural(len(state.missing), 'stage')} to do, {len(state.done):,} done")
    if state.asks:
        print(removed(state, remake))
    for problem in preflight.problems(opened.plan, state.missing, opened.store.root):
        print(f"missing here: {problem}")
    for sentence in identity.look(opened.plan, opened.stages, opened.store, every=True).changed:
        print(f"changed here: {sentence}")
    return 0
