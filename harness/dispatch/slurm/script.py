"""The sbatch script of a batch, written by submitit. No setting reaches a shell unquoted."""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.dispatch.ledger import Attempt
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm.batch import Batch, folder
from harness.errors import BadInput
from harness.spec.schema import SlurmSettings
from harness.store import files

SIGNAL_S = 90  # seconds before the time limit at which a stage is asked to checkpoint


def limits(settings: SlurmSettings, batch: Batch) -> tuple[int, int | None]:
    """(minutes, GB of memory or None) after growth."""
    minutes = math.ceil(settings.minutes * batch.growth.time)
    if batch.longest is not None:  # with more it would wait for ever (PartitionTimeLimit)
        minutes = max(settings.minutes, min(minutes, batch.longest))
    memory = None if settings.mem_gb is None else math.ceil(settings.mem_gb * batch.growth.memory)
    return minutes, memory


def signal_seconds(minutes: int) -> int:
    """A short job is asked later: a job of one minute must not be asked at its start."""
    return min(SIGNAL_S, minutes * 60 // 4)


def parameters(settings: SlurmSettings, batch: Batch, dependency: str | None) -> dict[str, Any]:
    """submitit's names and values."""
    minutes, memory = limits(settings, batch)
    given: dict[str, Any] = {
        "job_name": batch.name,
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "time": minutes,
        "nodes": settings.nodes,
        "ntasks_per_node": settings.processes(batch.kind),
        "cpus_per_task": settings.cpus_per_task,
        "gpus_per_node": settings.gpus_per_node or None,
        "mem": None if memory is None else f"{memory}GB",
        "constraint": settings.constraint,
        "exclude": settings.exclude,
        "mail_user": settings.mail_user,
        "mail_type": settings.mail_type or ("END,FAIL" if settings.mail_user else None),
        "dependency": dependency,
        "array_parallelism": settings.array_parallelism,
        "signal_delay_s": signal_seconds(minutes),
    }
    more: dict[str, Any] = {"requeue": True, **settings.extra}
    if dependency is not None:  # else the child of a failed parent waits for ever
        more["kill-on-invalid-dep"] = "yes"
    given["additional_parameters"] = {k: v for k, v in more.items() if v is not False}
    return {k: v for k, v in given.items() if v is not None}


def path_problem(root: Path) -> str | None:
    """Why no script can name a results folder: a line of it ends at a line break in the path."""
    if not re.search(r"[\n\r]", str(root)):
        return None
    return f"sbatch cannot take a results folder with a line break in its path: {str(root)!r}"


def script(root: Path, batch: Batch, settings: SlurmSettings, dependency: str | None) -> str:
    """The script's text. Errors: BadInput with submitit's message."""
    from submitit.slurm.slurm import SlurmExecutor

    class Array(SlurmExecutor):
        """Always an array, also of one, so that every task is JOB_INDEX."""

        @classmethod
        def affinity(cls) -> int:
            return 2  # whether srun is here was asked before

    path = folder(root, batch.name)
    if (problem := path_problem(root)) is not None:
        raise BadInput(problem)
    executor = Array(path)
    outputs = Outputs.of(path)
    given = parameters(settings, batch, dependency)
    given["additional_parameters"] = outputs.flags | given["additional_parameters"]
    try:
        executor.update_parameters(**given, setup=outputs.setup or None)
    except ValueError as error:
        raise BadInput(f"dispatch.slurm of {batch.kind}: {error}") from None
    # no wckey of its own; srun is ours, because submitit would not escape the folder
    executor.parameters |= {"map_count": len(batch.packs), "wckey": None, "use_srun": False}
    task = [sys.executable, "-u", "-m", "harness.dispatch.slurm.task", str(root), batch.name]
    text = executor._make_submission_file_text(shlex.join([*outputs.srun, *task]), batch.name)
    # submitit numbers from 0; an array that follows another one has the indices of its parents
    first = f"#SBATCH --array=0-{len(batch.packs) - 1}%"
    assert text.count(first) == 1
    numbers = batch.array if batch.indices[0] or batch.indices[-1] >= len(batch.packs) else None
    text = text if numbers is None else text.replace(first, f"#SBATCH --array={numbers}%")
    # by "\n" alone: a path may hold what Python takes for the end of a line, and sbatch does not
    return "\n".join(_flag(line) for line in text.rstrip("\n").split("\n")) + "\n"


@dataclass(frozen=True)
class Outputs:
    """Where the elements of an array print: JOB_INDEX_RANK_log.out and .err in its batch's folder.

    JOB_INDEX_0 is also where the script itself prints, and SLURM.
    """

    flags: dict[str, str]  # sbatch's
    setup: list[str]  # first lines of the script
    srun: list[str]  # the command that starts an element's processes

    @classmethod
    def of(cls, path: Path) -> Outputs:
        """sbatch's filename patterns: a backslash ends all patterns.

        `%%` should be a per cent sign, and srun 22.05 reads some of them as the start of a pattern:
        with two per cent signs in a row in the path, or `%5t`, its output is lost, or it fails.
        """
        streams = {"output": "out", "error": "err"}
        srun = ["srun", "--unbuffered"]
        if not re.search(r"[%\\]", str(path)):
            pattern = f"{path}/%A_%a"
            flags = {name: f"{pattern}_0_log.{end}" for name, end in streams.items()}
            for name, end in streams.items():
                srun += [f"--{name}", f"{pattern}_%t_log.{end}"]
            return cls(flags, [], srun)
        # What SLURM itself says stands in one file for all elements. The script sends the rest
        # where it belongs; all ranks of an element print into the first one's files.
        literal = str(path).replace("\\", "\\\\") + r"/array\_log"  # with one in any case
        flags = {name: f"{literal}.{end}" for name, end in streams.items()}
        mine = shlex.quote(f"{path}/") + '"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}_0_log'
        return cls(flags, [f'exec >>{mine}.out" 2>>{mine}.err"'], srun)


def _flag(line: str) -> str:
    """An #SBATCH line, quoted as sbatch reads it; submitit quotes for a shell.

    To sbatch a backslash escapes the next character also between single quotes.
    """
    start, equals, value = line.partition("=")
    if not (line.startswith("#SBATCH --") and equals):
        return line
    (value,) = shlex.split(value)
    if re.fullmatch(r"[\w@%+:,./=-]+", value, re.ASCII):
        return f"{start}={value}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{start}="{escaped}"'


def write(
    root: Path,
    batch: Batch,
    settings: SlurmSettings,
    attempts: Mapping[str, Attempt],
    about: dict[str, Any],
    jobs: Mapping[str, str],
) -> None:
    """Write down what a batch will do and its script, before sbatch; `jobs` are its parents'."""
    minutes, _ = limits(settings, batch)
    times = {"minutes": minutes, "signal_s": signal_seconds(minutes)}
    path = slurm_batch.write(root, batch, attempts, {**about, **times})
    text = script(root, batch, settings, batch.dependency(jobs))
    files.write_atomic(path / "submit.sh", os.fsencode(text))
