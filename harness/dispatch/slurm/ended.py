"""How a SLURM job ended whose stage left neither an artifact nor a report."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from harness.dispatch.executor import Event
from harness.dispatch.ledger import Attempt, Ledger, tail
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm.cluster import Element
from harness.plan.stages import Task
from harness.store.artifacts import Store

CLASSES = {
    "PREEMPTED": "preempted",
    "TIMEOUT": "timed out",
    "DEADLINE": "timed out",
    "NODE_FAIL": "node failure",
    "BOOT_FAIL": "node failure",
    "OUT_OF_MEMORY": "out of memory",
}
SAYS_ALL = {*CLASSES, "CANCELLED", "REVOKED"}  # states whose exit code adds nothing
# SLURM's words for it in a job's output: where it kills a step for its memory, the job's state may
# be FAILED all the same, or CANCELLED.
MEMORY = re.compile(
    r"exceeded (job |step )?memory limit|oom[-_]kill|out-of-memory handler|OOM Killed",
    re.IGNORECASE,
)
NO_OUTPUT = 53  # slurmd's "signal" when it cannot open the files of a job's output


def classify(key: str, job: str, element: Element | None, folder: Path | None = None) -> Event:
    """The event: stopped or lost where no fault of the stage is known, else failed with its class.

    `folder` is where the job was to write its output.
    """
    if element is None:
        message = f"SLURM no longer knows job {job}, and it left no artifact"
        return Event("failed", key, {"failure": "lost", "message": message})
    state = element.state
    if state not in CLASSES and folder is not None and _for_memory(folder / f"{job}_0_log.err"):
        message = f"job {job} ended as {state}: SLURM killed it because it exceeded its memory"
        return Event("failed", key, {"failure": "out of memory", "message": message})
    if state == "CANCELLED":
        if "depend" in element.reason.lower():
            return Event("lost", key, {"message": f"job {job}: a stage it needs failed"})
        return Event("stopped", key, {"message": f"job {job} was cancelled"})
    if state == "REVOKED":
        return Event("lost", key, {"message": f"job {job} was revoked"})
    failure = CLASSES.get(state)
    message = f"job {job} ended as {state}"
    if failure is None:
        code, _, number = element.exit_code.partition(":")
        signal_number = int(number or 0) or (int(code or 0) - 128 if int(code or 0) > 128 else 0)
        failure = "killed"
        if signal_number == NO_OUTPUT:
            failure = "environment"
            message += f": SLURM cannot write its output to {folder or 'its folder'}"
        elif signal_number:
            message += f", killed by signal {signal_number}"
            if signal_number == 9:
                message += " (out of memory, if nobody killed it)"
        elif element.exit_code:
            message += f" with exit code {code}, before its stage could say why"
            message += _printed(folder / f"{job}_0_log.err") if folder else ""
    return Event("failed", key, {"failure": failure, "message": message})


def _for_memory(path: Path) -> bool:
    """Does SLURM say in a job's output that it was killed for its memory?"""
    return MEMORY.search(tail(path, 30)) is not None


def _printed(path: Path) -> str:
    """The last output of a task outside its stages, as the end of a sentence."""
    lines = [line.strip() for line in tail(path, 30).splitlines() if line.strip()]
    return f"; the end of {path}: {' | '.join(line[:300] for line in lines[-3:])}" if lines else ""


def never_began(task: Task, attempt: Attempt, ledger: Ledger, store: Store) -> bool:
    """Did the job of something a stage needs end without doing all it should?

    Then SLURM has cancelled the stage's own, which waited for it (kill-on-invalid-dep).
    """
    for need in (*task.inputs.values(), *task.after.values()):
        for parent in ledger.attempts(need):
            if parent.ended is not None and parent.ended < attempt.started:
                continue  # it was tried again before the stage was submitted
            pack = [(parent.kind, need)]
            if parent.batch is not None and parent.index is not None:
                with contextlib.suppress(slurm_batch.DamagedPack):
                    entries = slurm_batch.read_pack(ledger.root, parent.batch, parent.index)
                    pack = [(e.task.kind, e.task.key) for e in entries]
            done = store.committed({kind for kind, _ in pack})
            if parent.state not in ("running", "done") or any(k not in done for _, k in pack):
                return True
    return False
