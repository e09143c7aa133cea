"""What runs on the compute node: the stages of one array element.

    python -m harness.dispatch.slurm.task ROOT BATCH

Each stage is the same `execute` a local worker calls. A stage whose attempt is no longer written
down as running (cancelled, taken for lost, done before a requeue) is passed over, so nothing an old
job does can be counted twice; one that is cancelled while it runs stops alone. SIGTERM and SIGUSR2
lead to a checkpoint and a requeue; SIGKILL to nothing at all, and the next start goes on from the
last checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.dispatch import failures
from harness.dispatch.energy import Meter, added, metered
from harness.dispatch.executor import Pace
from harness.dispatch.ledger import Attempt, Ledger, measured
from harness.dispatch.remedies import KEEP_PROGRESS
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm import state
from harness.dispatch.slurm.asked import Asked
from harness.dispatch.slurm.batch import Entry
from harness.dispatch.slurm.cluster import fields
from harness.dispatch.worker import begin_log, failure_told, logging_to, tell
from harness.errors import HarnessError
from harness.plan.stages import Task

CANCEL_LOOK_S = 2.0  # between looks for `harness cancel`
PROGRESS_S = 1.0
MOST_TIMEOUTS = 100  # requeues of one element at its time limit
SHARDS = "SLURM_SHARDS_ON_NODE"  # set: others have the rest of the GPU
TRIES, ANSWER_S, AGAIN_S = 3, 2.0, 0.5  # of scontrol: 7 s at the most, before SIGKILL comes


class Said:
    """The reports of one element's stages, in files that drivers and `status` read."""

    def __init__(self, root: Path, name: str, main: bool) -> None:
        self.root, self.name, self.main = root, name, main
        self.began: dict[str, float] = {}  # so that now - began is all it ran, before a requeue too
        self.meters: dict[str, Meter] = {}
        self.before: dict[str, dict[str, Any] | None] = {}  # used before a requeue

    def begin(self, key: str, meter: Meter | None = None) -> None:
        """A stage begins, perhaps again after a requeue."""
        ran = self.ran(key)
        self.before[key] = None if ran is None else self.used(key)
        if meter is not None:
            self.meters[key] = meter
        self.began[key] = time.monotonic() - (ran or 0.0)
        self.say(key, "running")

    def ran(self, key: str) -> float | None:
        """Seconds that a stage's attempt has run, None before it ever did."""
        if key in self.began:
            return time.monotonic() - self.began[key]
        before: float | None = state.read(self.root, self.name, key).get("ran")
        return before

    def used(self, key: str, now: bool = True) -> dict[str, Any]:
        """GPUs and joules of a stage's attempt so far; {} where that was never said."""
        if key in self.meters:
            return added(self.before[key], self.meters[key].used(now))
        before: dict[str, Any] = state.read(self.root, self.name, key).get("used", {})
        return before

    def measured(self, attempt: Attempt) -> Attempt:
        """The attempt with what it took so far."""
        key = attempt.key
        return measured(attempt, {"ran": self.ran(key), "used": self.used(key)})

    def say(self, key: str, word: str, **content: Any) -> None:
        """See harness.dispatch.slurm.state."""
        if self.main:
            content["used"] = self.used(key, now=word != "running")
            state.write(self.root, self.name, key, word, self.ran(key), **content)


def main(root_text: str, name: str) -> int:
    """The exit code: 0 when every stage of the element is done."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, lambda received, frame: asked.append(received))
    signal.signal(signal.SIGCONT, signal.SIG_IGN)  # sent along with a preemption's SIGTERM

    from submitit.core.job_environment import JobEnvironment
    from submitit.helpers import TorchDistributedEnvironment

    environment = JobEnvironment()
    if environment.num_tasks > 1:
        # each process chooses its GPU by its local rank, so all stay visible
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
    root, index = Path(root_text), int(os.environ["SLURM_ARRAY_TASK_ID"])
    tell(f"{time.strftime('%F %T')} {name} element {index} {environment}")
    about = slurm_batch.about(root, name)
    if about.get("job") not in (None, job_id().partition("_")[0]):
        tell(f"left to job {about['job']}: this batch was submitted twice")
        return 0
    try:
        element = slurm_batch.read_pack(root, name, index)
    except slurm_batch.DamagedPack as damage:
        tell(f"{damage}; nothing of it is done, a driver submits its stages again", sys.stderr)
        return 1
    ledger, said = Ledger(root), Said(root, name, environment.global_rank == 0)

    import torch

    threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    threads = element[0].task.place.threads or threads
    if threads:
        torch.set_num_threads(threads)
    code, first = 0, None  # the first stage of this start: it has all the time of the job
    for entry in element:
        if asked:
            return requeue(entry, element, ledger, said, about, asked)
        if ledger.read(entry.attempt).state != "running" or orphaned(entry, root, ledger, said):
            continue
        first = first or entry
        ended = one(entry, root, ledger, said, asked, about)
        if ended == "stopped" and asked:
            return requeue(entry, element, ledger, said, about, asked, whole=entry is first)
        if ended not in ("done", "cancelled"):  # what follows one cancelled finds that out itself
            code = 1
    spent = f"{time.process_time():.1f} s of processor time"
    tell(f"{time.strftime('%F %T')} {len(element)} stages ended, {spent}")
    return code


def orphaned(entry: Entry, root: Path, ledger: Ledger, said: Said) -> bool:
    """Was what a stage needs cancelled, and its task went on? Then it is lost, not failed."""
    from harness.plan.stages import KIND_OF_ROLE
    from harness.store import Store

    store, task = Store(root), entry.task
    for role, key in (*task.inputs.items(), *task.after.items()):
        made = store.folder(KIND_OF_ROLE[role], key).exists()
        last = None if made else ledger.last(key)
        if last is not None and last.state != "done":
            if said.main:
                message = f"it needs {last.label}, which is not done ({last.state})"
                ledger.end(replace(entry.attempt, job=job_id()), "lost", "lost", message)
                said.say(task.key, "lost", message=message)
            return True
    return False


def one(
    entry: Entry,
    root: Path,
    ledger: Ledger,
    said: Said,
    asked: list[int],
    about: Mapping[str, Any],
) -> str:
    """One stage, its log, and how it ended: done, stopped, cancelled or failed."""
    from harness.stages.execute import classify, execute
    from harness.stages.work import Stopped
    from harness.store import Store

    task, attempt = entry.task, entry.attempt
    looked = told = 0.0
    pace = Pace()
    cancelled = False

    def stopping() -> bool:
        nonlocal looked, cancelled
        now = time.monotonic()
        if now - looked > CANCEL_LOOK_S:
            looked = now
            cancelled = ledger.read(attempt).state != "running"
        return bool(asked) or cancelled

    def progress(**content: Any) -> None:
        nonlocal told
        now = time.monotonic()
        pace.tell(content, now)
        if now - told > PROGRESS_S:
            told = now
            said.say(task.key, "running", **content)

    def fail(failure: str, message: str) -> str:
        if said.main:
            now = replace(said.measured(attempt), job=job_id())
            try:
                settle(ledger, now, failure, message, about)
            except HarnessError as full:  # the disk, as a rule: a driver settles it
                tell(str(full), sys.stderr)
            said.say(task.key, "failed", failure=failure, message=message)
        return "failed"

    log = Path(attempt.log)
    if not said.main:
        log = log.with_suffix(f".rank{os.environ.get('RANK', '')}.log")
    node = os.uname().nodename
    if why := begin_log(log, task, f" job {job_id()} on {node}{gpus_given(task)}"):
        tell(f"on {node}: {why}", sys.stderr)
        return fail("environment", f"on {node}: {why}")
    with logging_to(log), metered(task, whole=SHARDS not in os.environ) as meter:
        try:
            said.begin(task.key, meter)
            with contextlib.closing(meter):
                ours = execute(task, Store(root), progress, stopping)
            tell(f"{time.strftime('%F %T')} committed")
            if said.main:
                ledger.end(replace(said.measured(attempt), job=job_id()), "done")
                said.say(task.key, "done", ours=ours)
            return "done"
        except Stopped as error:
            tell(f"stopped: {error}")
            cancelled = cancelled or ledger.read(attempt).state != "running"  # another rank saw it
            if cancelled:
                said.say(task.key, "stopped", message=str(error))
            return "cancelled" if cancelled else "stopped"
        except BaseException as error:
            return fail(classify(error), failure_told(error, log))


def settle(
    ledger: Ledger, attempt: Attempt, failure: str, message: str, about: Mapping[str, Any]
) -> None:
    """Write down a failed attempt, with what its batch says of its retries and of what it had."""
    asked_for = Asked.read(about)
    remedy = None if asked_for is None else asked_for.remedy(attempt.kind, failure, message)
    failures.settle(ledger, attempt, failure, message, about.get("retries", {}), remedy=remedy)


def gpus_given(task: Task) -> str:
    """For the log: how many GPUs SLURM gave on this node, and whether they can be used."""
    import torch

    given = int(os.environ.get("SLURM_GPUS_ON_NODE", "0"))
    if not given:
        return ""
    text = f", GPUs: {os.environ.get('CUDA_VISIBLE_DEVICES') or given}"
    if task.place.device != "cpu" and torch.cuda.is_available():
        return text
    wanted = f"dispatch.device is {task.place.device}"
    lacking = "" if task.place.device == "cpu" else " and torch sees no NVIDIA GPU"
    return f"{text} (of no use: {wanted}{lacking}; ask for none with gpus_per_node: 0)"


def job_id() -> str:
    """SLURM's id of the task that runs this; with its index in an array."""
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{index}" if array else os.environ.get("SLURM_JOB_ID", "")


def requeue(
    entry: Entry,
    element: list[Entry],
    ledger: Ledger,
    said: Said,
    about: dict[str, Any],
    asked: list[int],
    whole: bool = False,
) -> int:
    """Put this element back into the queue, unless SLURM is ending it anyway. Never returns 0.

    whole: had `entry` all the time of this start? If that was too little for a stage that keeps
    nothing of what it did, the same time again would be too little again: it has failed.
    """
    if not said.main:  # the main process decides for all; a requeue signals this one again
        count, until = len(asked), time.monotonic() + 60
        while len(asked) == count and time.monotonic() < until:
            time.sleep(0.2)
        return 1
    job = _own_job()
    state = job.get("JobState", "UNKNOWN")
    if state == "UNKNOWN" and all(ledger.read(e.attempt).state != "running" for e in element):
        state = "CANCELLED"  # `harness cancel` writes that down before it calls scancel
    if state not in ("RUNNING", "UNKNOWN"):
        # Cancelled, out of time, or preempted without a grace time: SLURM has decided, and to
        # requeue a job that is being cancelled would bring it back to life. Where it does not say,
        # not to requeue would end a chain that nobody watches.
        tell(f"asked to stop; the job is {state}: left to SLURM", sys.stderr)
        return 1
    since = job.get("PreemptTime", "None")  # ISO dates, or None; of an earlier start if it is old
    evicted = since != "None" and since >= job.get("StartTime", "")
    out_of_time = not evicted and signal.SIGUSR2 in asked
    failure = "timed out" if out_of_time else "preempted"
    if out_of_time and whole and entry.task.kind not in KEEP_PROGRESS:
        return _too_little_time(entry, element, ledger, said, about)
    count = int(os.environ.get("SLURM_RESTART_COUNT", "0")) + 1
    message = f"{failure}; saved its progress and went back into the queue ({count} times so far)"
    tell(message, sys.stderr)  # now: the requeue may end this process
    if failure != "timed out" or count < MOST_TIMEOUTS:
        said.say(entry.task.key, "requeued", failure=failure, message=message, count=count)
        done, error = scontrol("requeue", os.environ["SLURM_JOB_ID"])
        if done is not None:
            return 1
        message = f"{failure}, and scontrol requeue said: {error}"
        tell(message, sys.stderr)
    for other in element:
        if ledger.read(other.attempt).state == "running":
            now = said.measured(other.attempt)
            settle(ledger, now, failure, message, about)
            said.say(other.task.key, "failed", failure=failure, message=message)
    return 1


def _too_little_time(
    entry: Entry, element: list[Entry], ledger: Ledger, said: Said, about: dict[str, Any]
) -> int:
    """End an element whose stage needs more time than a job of it has; what follows it is lost."""
    message = f"the {about.get('minutes', '?')} minutes of its job ended before it was done"
    tell(message, sys.stderr)
    now = replace(said.measured(entry.attempt), job=job_id())
    settle(ledger, now, "timed out", message, about)
    said.say(entry.task.key, "failed", failure="timed out", message=message)
    for other in element:
        if ledger.read(other.attempt).state == "running":
            behind = "the time of its job ended before it began"
            ledger.end(replace(other.attempt, job=job_id()), "lost", "lost", behind)
            said.say(other.task.key, "lost", message=behind)
    return 1


def _own_job() -> dict[str, str]:
    """This job as scontrol has it; {} when it does not say."""
    told, _ = scontrol("show", "job", "-o", os.environ.get("SLURM_JOB_ID", ""))
    return fields(told or "")


def scontrol(*words: str) -> tuple[str | None, str]:
    """The output, None when it never succeeded, and why not. A controller may be busy."""
    error = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(AGAIN_S)
        try:
            done = subprocess.run(
                ["scontrol", *words], capture_output=True, text=True, timeout=ANSWER_S, check=False
            )
        except subprocess.TimeoutExpired:
            error = f"no answer within {ANSWER_S:g} s"
            continue
        except OSError as missing:
            return None, f"it cannot be started ({missing.strerror})"
        if done.returncode == 0:
            return done.stdout, ""
        error = done.stderr.strip() or f"exit code {done.returncode}"
    return None, error


if __name__ == "__main__":
    ended = main(sys.argv[1], sys.argv[2])
    for number in (signal.SIGTERM, signal.SIGUSR2):
        # Python's own end restores what signals do by default: one now would make a failed job of
        # this one, and SLURM would cancel those that follow it.
        signal.signal(number, signal.SIG_IGN)
    from harness.stages.tracking import leave

    leave(ended)
