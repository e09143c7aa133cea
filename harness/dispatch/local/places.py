"""Places of this machine: a GPU, or a few CPU cores, and how many of them a stage takes."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable

from harness.nearest import divisors
from harness.spec.dispatching import SHARED
from harness.spec.schema import DispatchSettings
from harness.spec.study import Study

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
MOST_WORKERS = 1024  # processes of one machine
MOST_CPU_WORKERS = 8  # each holds torch and its own copy of the data, about 0.5 GB
DEVICES = "CUDA_VISIBLE_DEVICES"
Place = dict[str, str]  # the environment of a process there


def gpus() -> list[str]:
    """Ids of the visible NVIDIA GPUs, without importing torch."""
    visible = os.environ.get(DEVICES)
    if visible is not None:
        return [g for g in visible.split(",") if g.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.split()


def cores() -> int:
    """CPU cores this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def layout(settings: DispatchSettings) -> list[Place]:
    """The environment of each worker: which GPU, how many threads."""
    found = gpus() if settings.device in ("auto", "cuda") else []
    if found:
        count = min(settings.workers or len(found), MOST_WORKERS)
        threads = settings.threads or max(1, cores() // count)
        chosen = [{DEVICES: found[i % len(found)]} for i in range(count)]
    else:
        threads = settings.threads or 1
        widest = max(settings.local.values(), default=1)
        few = max(1, min(MOST_CPU_WORKERS, cores() // threads))
        count = min(settings.workers or max(few, widest), MOST_WORKERS)
        chosen = [{} for _ in range(count)]
    return [{**env, **dict.fromkeys(THREAD_VARIABLES, str(threads))} for env in chosen]


def device(place: Place) -> str:
    """The GPU of a place; "" for the processor, which all its places share."""
    return place.get(DEVICES, "")


def choose(places: Iterable[Place], count: int) -> list[Place] | None:
    """`count` places for the processes of one stage, on different GPUs; None if there are fewer."""
    chosen: list[Place] = []
    for place in places:
        if device(place) == "" or all(device(place) != device(other) for other in chosen):
            chosen.append(place)
        if len(chosen) == count:
            return chosen
    return None


def problems(study: Study) -> list[str]:
    """Why `dispatch.local` cannot be had here, as sentences."""
    settings = study.settings.dispatch
    if (settings.workers or 0) > MOST_WORKERS:
        return [
            f"dispatch.workers is {settings.workers:,}: each is a process of this machine, which "
            f"has {cores()} cores; give at most {MOST_WORKERS:,}"
        ]
    if settings.device == "cuda" and not gpus():
        return ["no NVIDIA GPU is visible (dispatch.device is cuda)"]
    found = []
    places = layout(settings)
    different = len(choose_all(places))
    for kind, count in settings.local.items():
        if count > different:
            what = "GPU" if device(places[0]) else "worker"
            found.append(
                f"dispatch.local gives {kind} {count} devices, and this machine has {different} "
                f"({what}s): give it fewer, or say --set dispatch.local.{kind}={different}"
            )
    among = settings.local.get("train", 1)
    for size in sorted({run.train.batch_size for run in study.runs if run.train is not None}):
        if size % among:
            found.append(
                f"train.batch_size {size} cannot be divided among the {among} devices of "
                f"dispatch.local.train; these numbers of devices do: {divisors(size)}"
            )
    return found


def choose_all(places: list[Place]) -> list[Place]:
    """The most places that the processes of one stage can have."""
    if device(places[0]) == "":
        return places
    return list({device(place): place for place in places}.values())


def described(study: Study) -> str:
    """A sentence for `plan`: which stages run where."""
    settings = study.settings.dispatch
    places = layout(settings)
    if device(places[0]):
        text = f"on this machine: {len({device(p) for p in places})} GPUs, {len(places)} workers"
    else:
        threads = places[0][THREAD_VARIABLES[0]]
        count = f"{len(places)} worker{'s' if len(places) > 1 else ''}"
        text = f"on this machine: {count} of {threads} thread{'s' if threads != '1' else ''}"
    wide = {kind: n for kind, n in settings.local.items() if n > 1 and kind in SHARED}
    if not wide:
        return f"{text}, one stage each"
    told = ", ".join(f"{kind} on {n} at once" for kind, n in wide.items())
    return f"{text}; {told}, other stages on one each, beside them where there is room"
