"""What an attempt uses of GPUs: how many, and the energy that NVML counts.

The joules are what the whole boards drew between the attempt's begin and its end, whoever computed
on them (nvmlDeviceGetTotalEnergyConsumption, in millijoules since the driver was loaded).
Processors, fans and the rest of the machine are not in them. The first process of a stage reads for
all that are on its machine, so that a GPU of two processes counts once. Where several machines do
one stage, the first process of each other machine tells it what that machine's boards drew
(harness.dispatch.energy_elsewhere, which says when their sum is too small, and by how much).

Of an attempt whose first process is killed the energy is known up to its last progress. There is no
number, and never an error,

- without the package nvidia-ml-py, or where NVML fails;
- where a board has no such counter (before Volta) or is divided (MIG, MPS, a queue's shards);
- where another stage of the same user was on one of the boards meanwhile: the counter does not say
  whose work it was (harness.dispatch.sharing);
- where one of several machines has no number, or does not tell it;
- where several processes do a stage and nothing says how many of them are on this machine
  (LOCAL_WORLD_SIZE, which torchrun, submitit and our own crews set).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from harness.dispatch.energy_elsewhere import READ_S, Listener, Teller, subject_of
from harness.dispatch.sharing import Presence
from harness.plan.stages import Task
from harness.spec.dispatching import SHARED

LOCAL = "LOCAL_WORLD_SIZE"  # how many of the processes are on this machine
PART = "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"  # set: others have the rest of the GPU


class Meter:
    """The GPUs of one attempt, from its making to `close`. Nothing here raises.

    whole: are GPUs given whole here? The counter says nothing of a part.
    """

    def __init__(self, task: Task, whole: bool = True) -> None:
        self.devices: int | None = None  # of all processes of the attempt; None: not known
        self.joules: float | None = None  # of this machine, so far; None: not known
        self.first = os.environ.get("RANK", "0") == "0"  # the process that counts for all
        self._nvml: Any = None
        self._boards: list[tuple[Any, int]] = []  # each with its counter at the beginning
        self._presence: Presence | None = None
        self._read_at = float("-inf")
        self._teller: Teller | None = None  # of the first process of another machine
        self._listener: Listener | None = None  # of the first of all, if there are other machines
        with contextlib.suppress(Exception):
            self._begin(task, whole and PART not in os.environ)

    def _begin(self, task: Task, whole: bool) -> None:
        from harness.stages.distributed import number

        if processes_of(task)[0] > 1 and LOCAL not in os.environ:
            return  # on how many machines they are is not known
        gpus, machines = gpus_of(task)
        if self.first:
            self.devices = len(gpus) * machines
        elif machines == 1 or number("LOCAL_RANK", 0):
            return  # another one reads the boards of this machine
        if not gpus:
            return
        if whole:
            with contextlib.suppress(Exception):
                self._open(gpus)
        if machines == 1:
            return
        subject, (size, here) = subject_of(task.key), processes_of(task)
        if not self.first:
            self._teller = Teller(subject, here, self._read_own)
        elif self._boards:
            self._listener = Listener(subject, size - here)

    def _open(self, gpus: list[int]) -> None:
        import pynvml
        import torch

        # torch says which GPU it is: CUDA's order is not NVML's, and CUDA_VISIBLE_DEVICES may
        # choose by number or by UUID.
        found = [str(torch.cuda.get_device_properties(gpu).uuid) for gpu in gpus]
        uuids = [uuid if uuid.startswith("GPU-") else f"GPU-{uuid}" for uuid in found]
        pynvml.nvmlInit()
        self._nvml = pynvml
        try:
            boards = [pynvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in uuids]
            if any(_divided(pynvml, board) for board in boards):
                raise LookupError("a counter of the whole board says nothing of a part of it")
            self._presence = Presence(uuids)
            self._boards = [(board, self._count(board)) for board in boards]
        except Exception:
            self._let_go()
            raise

    def _count(self, board: Any) -> int:
        return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(board))

    def _read(self) -> None:
        if not self._boards:
            return
        self._read_at = time.monotonic()
        try:
            drawn = [self._count(board) - before for board, before in self._boards]
            known = min(drawn) >= 0 and self._presence is not None and self._presence.alone()
        except Exception:  # NVML's errors, and those of whatever stands in for it
            known = False
        self.joules = sum(drawn) / 1000 if known else None
        if not known:
            self._let_go()

    def _read_own(self) -> float | None:
        self._read()
        return self.joules

    def used(self, now: bool = True) -> dict[str, Any]:
        """`devices` and `joules` so far; not `now`: as read at most READ_S ago. Of other machines
        it is what they said last. {} of a process for which another counts."""
        if not self.first:
            return {}
        if now or time.monotonic() - self._read_at > READ_S:
            self._read()
        return {"devices": self.devices, "joules": self._in_all()}

    def _in_all(self) -> float | None:
        """Of all machines."""
        if self._listener is None or self.joules is None:
            return self.joules
        elsewhere = self._listener.joules()
        return None if elsewhere is None else self.joules + elsewhere

    def content(self, now: bool = True) -> dict[str, Any]:
        """The same for an executor's event, under `used`."""
        used = self.used(now)
        return {"used": used} if used else {}

    def with_progress(self, progress: Callable[..., None]) -> Callable[..., None]:
        """`progress` that also says what was used so far: a stage that is killed says no more."""

        def tell(**state: Any) -> None:
            progress(**state, **self.content(now=False))

        return tell

    def close(self) -> None:
        """Read for the last time, on other machines too; `used` then says the same for ever."""
        if self._teller is not None:
            if not self._teller.close():
                return  # its thread hangs in a reading: NVML is left to it
        else:
            self._read()
        self._let_go()
        if self._listener is not None:
            self._listener.close(wait=self.joules is not None)

    def _let_go(self) -> None:
        self._boards = []
        if self._presence is not None:
            self._presence.leave()
            self._presence = None
        if self._nvml is not None:
            with contextlib.suppress(Exception):
                self._nvml.nvmlShutdown()
            self._nvml = None


@contextlib.contextmanager
def metered(task: Task, whole: bool = True) -> Iterator[Meter]:
    """A meter of one attempt, from now on."""
    meter = Meter(task, whole)
    try:
        yield meter
    finally:
        meter.close()


def gpus_of(task: Task) -> tuple[list[int], int]:
    """The numbers, in torch, of the GPUs that a stage has on this machine; and how many machines
    do it. Its process of local rank r has GPU r (harness.stages.execute); two may have the same."""
    import torch

    if task.place.device == "cpu" or not torch.cuda.is_available():
        return [], 1
    size, here = processes_of(task)
    count = torch.cuda.device_count()
    return sorted({rank % count for rank in range(here)}), -(-size // here)


def processes_of(task: Task) -> tuple[int, int]:
    """How many processes do a stage; and how many of these are on this machine."""
    from harness.stages.distributed import number

    if task.kind not in SHARED:
        return 1, 1
    size = number("WORLD_SIZE", 1)
    return size, number(LOCAL, size)


def added(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """What an attempt used that began more than once, as after a requeue. None: it is the first."""
    if before is None or not now:
        return now
    joules = (before.get("joules"), now["joules"])
    return {**now, "joules": None if None in joules else sum(joules)}


def _divided(nvml: Any, board: Any) -> bool:
    """Is MIG on? Boards that know no MIG answer with an error."""
    try:
        return bool(nvml.nvmlDeviceGetMigMode(board)[0])
    except nvml.NVMLError:
        return False
