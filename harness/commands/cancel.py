"""`cancel`: stop a study's stages, or some of them: local workers' and a queue's jobs.

Without STAGE its drivers are asked to stop and all its jobs are cancelled. With STAGE only those
stages end, and whatever runs beside them goes on. Local stages save their progress first; a
queue's jobs are cancelled there, and a stage that shares its task with others is passed over, or
stops at its next step. `run` goes on with all of it.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Container

from harness.commands import common
from harness.commands.common import Opened, plural
from harness.commands.seen import drivers, queue
from harness.dispatch.claims import Owner
from harness.dispatch.executors import executor_of, queues_called
from harness.dispatch.ledger import Attempt, measured

WAIT_S = 10.0  # for a driver to end, so that it submits no more
WHY = "cancelled by `harness cancel`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)
    parser.add_argument(
        "stages",
        metavar="STAGE",
        nargs="*",
        help="a stage kind, the beginning of a key, or text in a label (default: all stages)",
    )


def run(args: argparse.Namespace) -> int:
    opened = common.open_study(args)
    wanted = {s.key for s in opened.stages}
    if args.stages:
        wanted &= {s.key for s in common.matching(args, opened, args.stages)}
    whole = not (args.stages or args.only or args.skip)
    asked = stop_drivers(opened) if whole else 0
    here, jobs = running(opened, wanted)
    if jobs:
        cancel_jobs(opened, jobs)
    if here and not whole:
        for attempt in here:
            opened.ledger.end(attempt, "stopped", "stopped", WHY)
        print(
            f"{plural(len(here), 'stage')} asked to save and stop; "
            "their driver goes on with the rest"
        )
    if not (asked or here or jobs):
        common.note_absence(args.results)
        print("nothing of this study is running" if whole else "none of these stages is running")
    return 0


def running(opened: Opened, wanted: Container[str]) -> tuple[list[Attempt], list[Attempt]]:
    """Attempts at `wanted` that are not over: on local workers, and in a queue."""
    here, jobs = [], []
    for key, last in opened.state().latest.items():
        if key in wanted and last.state == "running":
            if last.batch is not None:
                jobs.append(last)
            elif opened.ledger.alive(key):
                here.append(last)
    return here, jobs


def stop_drivers(opened: Opened) -> int:
    """Interrupt the study's drivers, as Ctrl-C would; how many there were."""
    found = drivers(opened)
    for owner in found:
        if owner.alive():
            os.kill(owner.pid, signal.SIGINT)
            print(f"asked process {owner.pid} to stop; its local stages save their progress first")
            if executor_of(opened.study).policy == "queue":
                _wait(owner)
        else:
            print(f"process {owner.pid} on {owner.host} drives this study too: cancel it there")
    return len(found)


def _wait(owner: Owner) -> None:
    until = time.monotonic() + WAIT_S
    while owner.alive() and time.monotonic() < until:
        time.sleep(0.1)


def cancel_jobs(opened: Opened, attempts: list[Attempt]) -> None:
    """Stop stages in a queue."""
    jobs = queue(opened, attempts)
    if jobs is None:
        given = queues_called(attempts)
        print(
            f"{plural(len(attempts), 'stage')} {'was' if len(attempts) == 1 else 'were'} "
            f"given to {given}: cancel where it can be asked"
        )
        return
    alive = []
    for attempt in attempts:
        task = opened.plan.task(opened.plan.stages[attempt.key])
        event = jobs.adopt(task, attempt)
        if event is None:
            alive.append(attempt)
        elif event.event != "done":  # over, and nobody has looked yet
            said = str(event.content.get("message") or event.event)
            opened.ledger.end(measured(attempt, event.content), "lost", "lost", said)
    for attempt in alive:  # first: a task looks here before each stage and during it
        so_far = {"ran": jobs.ran(attempt.key), "used": jobs.used(attempt.key)}
        opened.ledger.end(measured(attempt, so_far), "stopped", "stopped", WHY)
    ended = jobs.cancel([attempt.key for attempt in alive])
    jobs_ended = f"{len(ended):,} {'job' if len(ended) == 1 else 'jobs'} ended"
    shared = len({(attempt.batch, attempt.index) for attempt in alive}) - len(ended)
    if shared:
        jobs_ended += f", {shared:,} {'goes' if shared == 1 else 'go'} on with other stages"
    print(f"cancelled {plural(len(alive), 'stage')} on {queues_called(attempts)} ({jobs_ended})")
