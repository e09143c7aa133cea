"""One stage on many processes: who am I, which rows are mine, and waiting for one another.

RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT say so, as torchrun and submitit set them;
without them a process is alone, and nothing here costs anything. Tensors on GPUs go through NCCL,
those on the CPU (decisions, not gradients) through gloo.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import os
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from harness.errors import BadInput, HarnessError, Missing, on_one_line

WAIT = timedelta(days=7)  # for a process that still samples, encodes or commits (see peers.py)
PATIENCE_S = 20.0  # beyond the rendezvous' own limit, which torch keeps to within a factor of two
EXIT_S = 30.0  # a process that has failed, and whose exchanges cannot be wound up, is ended then
SHARED = ("train", "sample", "encode")  # stage kinds that many processes do together


@dataclass(frozen=True)
class World:
    """This process among those that do the stage together."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # among those of this machine: chooses the GPU
    control: Any = field(default=None, repr=False)  # gloo group for decisions
    store: Any = field(default=None, repr=False)  # where a process that fails says so

    @property
    def main(self) -> bool:
        """The one process that writes what all have made."""
        return self.rank == 0

    def rows(self, count: int) -> tuple[int, int]:
        """This process's contiguous part of `count` rows; the first ones get what is left over."""
        share, more = divmod(count, self.size)
        start = self.rank * share + min(self.rank, more)
        return start, start + share + (self.rank < more)

    def share(self, value: Any) -> Any:
        """The main process's value, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=self.control, device=torch.device("cpu"))
        return box[0]

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier(group=self.control)

    def all(self, flag: bool) -> bool:
        """Is it so in every process? Waits for all."""
        return bool(self.gather(torch.tensor(flag)).all())

    def sum(self, values: Tensor) -> Tensor:
        """The sum over processes, a new tensor."""
        total = values.clone()
        if self.size > 1:
            dist.all_reduce(total)
        return total

    def gather(self, values: Tensor) -> Tensor:
        """(size, *shape) on the CPU, one row per process."""
        if self.size == 1:
            return values.cpu()[None]
        rows = [torch.empty_like(values, device="cpu") for _ in range(self.size)]
        dist.all_gather(rows, values.cpu(), group=self.control)
        return torch.stack(rows)

    def breaks(self, why: str) -> None:
        """One of the processes has failed: they can no longer do a stage together."""
        global _broken
        _broken = why


class Agreement:
    """A wish of any process that all must follow at the same step, without waiting for it.

    Each call gives the greatest wish of the call before, whose exchange ran during the step: one
    step late, and free. A process alone is answered at once.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.pending: tuple[Tensor, Any] | None = None

    def __call__(self, wish: int) -> int:
        if self.world.size == 1:
            return wish
        agreed = 0
        if self.pending is not None:
            value, exchange = self.pending
            exchange.wait()
            agreed = int(value)
        value = torch.tensor(wish)
        exchange = dist.all_reduce(
            value, op=dist.ReduceOp.MAX, group=self.world.control, async_op=True
        )
        self.pending = value, exchange
        return agreed


def number(name: str, default: int | None = None) -> int:
    """A whole number from the environment. Raises BadInput saying which variable holds what."""
    text = os.environ.get(name, "" if default is None else str(default))
    if not (text.isascii() and text.isdigit()):
        raise BadInput(
            f"the environment variable {name} is {text!r}, not a whole number from 0: launchers "
            f"(torchrun, a cluster) set it; in a shell of your own, unset {name}"
        )
    return int(text)


def alone() -> bool:
    """Is this process one of one? Raises BadInput when WORLD_SIZE is no number."""
    return number("WORLD_SIZE", 1) == 1


def join(timeout_s: float, exchange_s: float = 900.0) -> World:
    """Meet the others at MASTER_ADDR:MASTER_PORT; once per process.

    timeout_s: how long to wait for them. exchange_s: how long an exchange of gradients or shards
    may take before its processes are taken for stuck.
    Raises Missing, with the address, when they do not come within timeout_s seconds, BadInput when
    the environment is incomplete, HarnessError when one of them has failed since.
    """
    if alone():
        return World()
    if _broken is not None:
        raise HarnessError(
            f"these processes can no longer work together, one of them failed ({_broken}); "
            "start them again"
        )
    if _joined is not None:
        return _joined
    needed = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    absent = [name for name in needed if name not in os.environ]
    if absent:
        raise BadInput(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']} and {', '.join(absent)} is not set: start "
            "the processes with torchrun, or through a profile of a cluster"
        )
    rank, size = number("RANK"), number("WORLD_SIZE")
    for name, default in (("LOCAL_RANK", 0), ("MASTER_PORT", None)):
        number(name, default)  # before torch meets them: it takes a bad port for an absent peer
    met: list[World | Exception] = []

    def meet() -> None:
        try:
            _choose_device()
            met.append(
                _meet(rank, size, timedelta(seconds=timeout_s), timedelta(seconds=exchange_s))
            )
        except Exception as error:  # raised below
            met.append(error)

    # In a thread, since torch waits for ever for an address where something else answers nothing,
    # and lets no signal through meanwhile.
    _choose_device()
    began, thread = time.monotonic(), threading.Thread(target=meet, name="rendezvous", daemon=True)
    thread.start()
    thread.join(2 * timeout_s + PATIENCE_S)
    found = met[0] if met else TimeoutError("what listens there does not answer")
    if isinstance(found, World):
        return found
    if not isinstance(found, (RuntimeError, ValueError, OSError)):  # torch's errors and Python's
        raise found
    address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    raise Missing(
        f"process {rank} of {size} found no rendezvous at {address} in "
        f"{time.monotonic() - began:.0f} s (dispatch.rendezvous_minutes is {timeout_s / 60:g}): is "
        f"MASTER_ADDR reachable from {os.uname().nodename}, did all {size} processes start, is the "
        f"port free? ({on_one_line(found)[:200]})"
    ) from found


def _meet(rank: int, size: int, limit: timedelta, exchange: timedelta) -> World:
    global _joined
    local_rank = number("LOCAL_RANK", 0)
    store, rank, size = next(dist.rendezvous("env://", rank, size, timeout=limit))  # type: ignore[attr-defined]
    store.set_timeout(limit)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        store=dist.PrefixStore("harness", store),  # type: ignore[attr-defined]
        rank=rank,
        world_size=size,
        timeout=exchange,
    )
    control = dist.new_group(backend="gloo", timeout=WAIT)
    _joined = World(rank, size, local_rank, control, _connected("peers", limit))
    atexit.register(_leave)
    return _joined


def noticeboard(subject: str, timeout_s: float) -> Any:
    """Where the processes may leave each other notes on a subject: the store of their rendezvous.
    None before they have met. Raises torch's errors where it is not reached within timeout_s."""
    return None if _joined is None else _connected(subject, timedelta(seconds=timeout_s))


def _connected(subject: str, limit: timedelta) -> Any:
    """The store by a connection of its own: a client of it does one thing at a time."""
    host, port = os.environ["MASTER_ADDR"], number("MASTER_PORT")
    store = dist.TCPStore(host, port, None, False, limit, wait_for_workers=False)  # type: ignore[attr-defined]
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # the store may be the launcher's
    return dist.PrefixStore(f"{subject}/{start}", store)  # type: ignore[attr-defined]


def _choose_device() -> None:
    """This process's GPU is the current one, which torch keeps for each thread."""
    if torch.cuda.is_available():
        local_rank = number("LOCAL_RANK", 0)
        torch.cuda.set_device(local_rank % torch.cuda.device_count())


def _leave() -> None:
    """At exit. Torn connections may keep a process from ending: that has a limit."""
    if _broken is not None:
        faulthandler.dump_traceback_later(EXIT_S, exit=True)
        return
    with contextlib.suppress(Exception):
        dist.destroy_process_group()


_joined: World | None = None
_broken: str | None = None  # why this process can no longer take part
