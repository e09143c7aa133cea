"""One stage on many processes: who am I, which rows are mine, and waiting for one another.

RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT say so, as torchrun and submitit set them;
without them a process is alone, and nothing here costs anything. Tensors on GPUs go through NCCL,
those on the CPU (decisions, not gradients) through gloo.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from harness.errors import BadInput, Missing

WAIT = timedelta(days=7)  # for a process that still samples, encodes or commits
SHARED = ("train", "sample", "encode")  # stage kinds that many processes do together


@dataclass(frozen=True)
class World:
    """This process among those that do the stage together."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # among those of this machine: chooses the GPU
    control: Any = field(default=None, repr=False)  # gloo group for decisions

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


def alone() -> bool:
    """Is this process one of one?"""
    return int(os.environ.get("WORLD_SIZE", "1")) == 1


def join(timeout_s: float) -> World:
    """Meet the others at MASTER_ADDR:MASTER_PORT; once per process.

    Raises Missing, with the address, when they do not come within timeout_s seconds, and BadInput
    when the environment is incomplete.
    """
    if alone():
        return World()
    needed = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    absent = [name for name in needed if name not in os.environ]
    if absent:
        raise BadInput(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']} and {', '.join(absent)} is not set: start "
            "the processes with torchrun, or through a SLURM profile"
        )
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    global _control
    if not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(local_rank % torch.cuda.device_count())
        limit = timedelta(seconds=timeout_s)
        try:
            store, rank, size = next(dist.rendezvous("env://", rank, size, timeout=limit))
            store.set_timeout(limit)
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
                store=dist.PrefixStore("harness", store),
                rank=rank,
                world_size=size,
            )
            _control = dist.new_group(backend="gloo", timeout=WAIT)
        except (RuntimeError, ValueError) as error:  # torch's DistError is a RuntimeError
            raise Missing(
                f"process {rank} of {size} found no rendezvous at {address} within "
                f"{timeout_s:g} s (dispatch.rendezvous_minutes): is MASTER_ADDR reachable from "
                f"{os.uname().nodename}, did all {size} processes start, is the port free? "
                f"({str(error).splitlines()[0][:200]})"
            ) from error
    return World(rank, size, local_rank, _control)


_control: Any = None


def divisors(number: int) -> str:
    """All divisors as text, for errors that say what would do."""
    return ", ".join(str(n) for n in range(1, number + 1) if number % n == 0)
