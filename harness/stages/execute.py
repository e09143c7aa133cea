"""Doing one task: open its inputs, run its stage, commit. The same on a laptop and on a cluster."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from harness.components import files as component_files
from harness.components import registry
from harness.errors import BadInput, HarnessError, Missing
from harness.plan.keys import stage_key
from harness.plan.stages import KIND_OF_ROLE, STAGE_SETTINGS, WITH_SPARE, Task, opened
from harness.stages import distributed, peers, tracking
from harness.stages.distributed import World
from harness.stages.work import Outcome, Stopped, Work
from harness.store import codec, environments, files, provenance, records
from harness.store.artifacts import Artifact, CorruptArtifact, Rows, Store, UnreadableArtifact

BOUND = ".components.json"  # in scratch: the component files that made what is there


def pick_device(wanted: str, local_rank: int = 0) -> torch.device:
    """The device a place asks for; on several GPUs that of the rank on this machine.

    Raises Missing when it asks for a GPU and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise Missing(
            "the profile asks for device: cuda, and torch sees no NVIDIA GPU on this machine "
            "(use --set dispatch.device=cpu to run on the processor)"
        )
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda":
        return torch.device("cuda", local_rank % torch.cuda.device_count())
    return torch.device(wanted)


@contextlib.contextmanager
def signals(stopping: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """`stopping`, which SIGTERM and SIGUSR2 (a job's time is up) make say yes as well.

    Signals somebody else handles already are left to them.
    """
    asked = threading.Event()
    ours = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGUSR2):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, lambda *_: asked.set())
                ours.append(number)
    try:
        yield lambda: asked.is_set() or stopping()
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def execute(
    task: Task,
    store: Store,
    progress: Callable[..., None] = lambda **_: None,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Run a task to its commit. True if this attempt's output stands, False if another's did first.

    Started once per process (RANK, WORLD_SIZE), training, sampling and encoding are shared among
    them; the rest is done by the main one, which alone commits.

    Errors: whatever the stage raises; CorruptArtifact if an input is damaged; Stopped.
    """
    if stage_key(task.kind, task.settings, task.inputs) != task.key:
        raise HarnessError(
            f"{task.label}: the key does not match the settings; the driver and the worker run "
            "different versions of the harness"
        )
    component_files.load_copies(task.place.components, store.root)
    if task.kind not in distributed.SHARED:
        if distributed.number("RANK", 0):
            return False  # one process is enough
        return _execute(task, store, progress, stopping, World())
    place = task.place
    world = distributed.join(place.rendezvous_minutes * 60, place.exchange_minutes * 60)
    with peers.together(world, stopping, classify) as stopping:
        return _execute(task, store, progress, stopping, world)


def _execute(
    task: Task,
    store: Store,
    progress: Callable[..., None],
    stopping: Callable[[], bool],
    world: World,
) -> bool:
    """Execute the task in one process of `world`. False: another attempt had committed it."""
    if world.main:
        store.look_anew(task.kind)
        _bind_scratch(store.scratch(task.key), _brought(task))
    resumed = store.in_progress(task.key)
    if world.share(store.manifest(task.kind, task.key) is not None):
        return False
    device = pick_device(task.place.device, world.local_rank)
    scratch = store.scratch(task.key)
    staging = store.staging(task.key) if world.main else scratch / "_none"
    settings = STAGE_SETTINGS[task.kind].model_validate_json(task.settings)
    began = time.monotonic()
    try:
        with signals(stopping) as stopping:
            work = Work(
                task=task,
                folder=staging,
                scratch=scratch,
                inputs={
                    role: _open(store, role, key)
                    for role, key in opened(task.inputs, task.after).items()
                },
                after={role: _open(store, role, key) for role, key in task.after.items()},
                device=device,
                progress=_stoppable(progress, stopping, task.kind),
                stopping=stopping,
                world=world,
            )
            stage = importlib.import_module(f"harness.stages.{task.kind}")
            outcome = stage.run(settings, work)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    measured = {
        "seconds": time.monotonic() - began,  # of this attempt
        "resumed": resumed,  # did an earlier attempt do a part of it?
        "gflops": task.gflops,
        "model": task.place.model,
        "device": device_name(device),
        "devices": world.size,
    }
    ours = _commit(task, store, staging, outcome, device, measured) if world.main else False
    if ours:
        drawn = work.inputs.get("samples")
        tracking.committed(task, outcome.rows, drawn.folder if drawn else None, store.root)
    world.wait()
    if world.main:
        shutil.rmtree(scratch, ignore_errors=True)
    return ours


def _brought(task: Task) -> dict[str, str]:
    """The study's own components, as {"kind:name": SHA-256 of the file}; and as "file:NAME" those
    of its files that only others import."""
    ours = {each["sha256"]: each["name"] for each in task.place.components}
    found = {
        f"{entry.kind}:{entry.name}": entry.sha256
        for entry in (registry.entries() if ours else ())
        if entry.sha256 in ours
    }
    imported = {f"file:{name}": sha256 for sha256, name in ours.items()}
    return {**found, **{at: each for at, each in imported.items() if each not in found.values()}}


def _bind_scratch(scratch: Path, brought: dict[str, str]) -> None:
    """Remove what an attempt with other component files left: no attempt may go on from it."""
    mark = scratch / BOUND
    try:
        before = json.loads(mark.read_text())
    except (OSError, ValueError):
        before = {}
    if before != brought and any(scratch.iterdir()):
        print("component files have changed: begun anew", flush=True)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True, exist_ok=True)
    if brought and before != brought:
        mark.write_text(json.dumps(brought))


def _stoppable(
    progress: Callable[..., None], stopping: Callable[[], bool], kind: str
) -> Callable[..., None]:
    """Progress that ends a stage which does not look at `stopping` itself when it is asked to."""
    if kind in ("train", "sample"):  # they save what they have first
        return progress

    def tell(**state: Any) -> None:
        progress(**state)
        if stopping():
            raise Stopped(f"{kind} is begun again, or goes on with the shards it has written")

    return tell


def _commit(
    task: Task,
    store: Store,
    staging: Path,
    outcome: Outcome,
    device: torch.device,
    measured: dict[str, Any],
) -> bool:
    made = provenance.made(device_name(device), torch.get_num_threads())
    made["environment"] = environments.keep(store.root)
    if brought := _brought(task):
        made["component_sha256"] = brought
    ours = store.commit(
        task.kind,
        task.key,
        staging,
        finish_rows(outcome.rows, made),
        codec.told(outcome.result),
        {
            "settings": json.loads(task.settings),
            "inputs": task.inputs,
            "label": task.label,
            "provenance": {
                **made,
                "versions": provenance.versions(),
                "components": registry.origins(json.loads(task.settings).get("components", {})),
            },
            "measured": measured,
        },
    )
    records.reconcile_one(store, task.kind, task.key)
    return ours


def _open(store: Store, role: str, key: str) -> Artifact:
    artifact = store.open(KIND_OF_ROLE[role], key, spare=role in WITH_SPARE)
    if artifact is None:
        raise HarnessError(f"its input {role} ({key[:12]}) is not committed")
    return artifact


def finish_rows(rows: Rows, made: dict[str, Any]) -> Rows:
    """Rows with their provenance, and without numbers that are not finite (missing, never 0)."""
    from harness.store import tables

    finished: Rows = {}
    for table, given in rows.items():
        columns = {c.name for c in tables.TABLES[table]}
        extra = {k: v for k, v in made.items() if k in columns}
        finished[table] = []
        for row in given:
            # A number taken over keeps what made it, and lacks what was not recorded then.
            lacks = dict.fromkeys(extra.keys() & {"environment"}) if "harness" in row else {}
            whole = tables.texts({**extra, **lacks, **row})
            tables.check(table, whole)
            finished[table].append(
                {
                    k: None if isinstance(v, float) and not math.isfinite(v) else v
                    for k, v in whole.items()
                }
            )
    return finished


def device_name(device: torch.device) -> str:
    """The GPU's name, or the processor's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()} ({os.cpu_count()} cores)"
    import platform

    return f"{platform.processor() or platform.machine()} ({os.cpu_count()} cores)"


# The words for it of libraries that raise neither OSError nor MemoryError (safetensors, Arrow,
# torch).
FULL = ("no space left on device", "storagefull", "disk quota exceeded", "quotaexceeded")
DISK = (
    *FULL,
    *("input/output error", "stale file handle", "stale nfs file handle", "remote i/o error"),
    *("transport endpoint is not connected", "read-only file system"),
)
DISK_ERRNOS = {*files.DISK, errno.ENOSPC, errno.EROFS, errno.ENOTCONN, errno.EREMOTEIO}
MEMORY = (
    *("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory"),
    *("bad_alloc", "status_alloc_failed"),
)
DEVICE = (
    *("ecc error", "nccl error", "ncclsystemerror", "ncclremoteerror", "fallen off the bus"),
    *("no cuda-capable device", "busy or unavailable", "can't start new thread"),
    "too many open files",
)


def classify(error: BaseException) -> str:
    """The class of a failure: environment (may pass), bad input, error (code or recipe), ...

    A disk or memory that failed is told by what led to the error as well, whoever noticed it.
    """
    if isinstance(error, peers.PeerFailed):
        return error.failure
    led = _led_to(error)
    passing = (files.DiskFull, files.NotWritable, files.NotReadable, Missing)
    if isinstance(error, passing) or any(map(_of_the_disk, led)):
        return "environment"
    if isinstance(error, UnreadableArtifact) and not isinstance(error, codec.UnreadableResult):
        return "environment"  # it is there, and a permission or the disk may be mended
    if isinstance(error, (BadInput, CorruptArtifact)):
        return "bad input"
    if isinstance(error, (KeyboardInterrupt, Stopped)):
        return "stopped"
    if any(map(_of_memory, led)):
        return "out of memory"
    if isinstance(error, OSError) or any(_says(one, DEVICE) for one in led):
        return "environment"
    return "error"


def _led_to(error: BaseException | None) -> list[BaseException]:
    """The error, and those that led to it."""
    found: list[BaseException] = []
    while error is not None and all(error is not one for one in found):
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _of_the_disk(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in DISK_ERRNOS) or _says(error, DISK)


def of_a_full_disk(error: BaseException) -> bool:
    """Did a disk or a quota that is full lead to the error, whichever library says so?"""
    return any(
        (isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT)) or _says(one, FULL)
        for one in _led_to(error)
    )


def _of_memory(error: BaseException) -> bool:
    no_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or no_memory or _says(error, MEMORY)


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)
