"""One model on many devices: copies whose gradients are averaged, or shards of one."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.components import Family, Objective
from harness.stages.work import Work


@dataclass(frozen=True)
class Parallel:
    """The callable of a forward pass, and the context around each pass of a step."""

    forward: Any  # the module that is called as model(x, t, y=y)
    exchange: Callable[[bool], Any]  # exchange(last): only the last pass's backward exchanges


def parallel(
    model: nn.Module, averages: Iterable[nn.Module], family: Family, work: Work
) -> Parallel:
    """One process: the model itself. Several: DistributedDataParallel copies, or with train.fsdp
    shards (FSDP2; of `averages` too), for models that do not fit one device.
    """
    world, device = work.world, work.device
    forward: Any = model
    if work.place.fsdp and world.size > 1:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(device.type, (world.size,))
        for module in (model, *averages):
            for unit in family.shard_units(module):
                fully_shard(unit, mesh=mesh)
            fully_shard(module, mesh=mesh)

        def exchange_last(last: bool) -> Any:
            forward.set_requires_gradient_sync(last)
            return contextlib.nullcontext()

        return Parallel(torch.compile(model) if work.place.compile else model, exchange_last)
    if work.place.compile:
        forward = torch.compile(model)
    if world.size == 1:
        return Parallel(forward, lambda last: contextlib.nullcontext())
    copying = nn.parallel.DistributedDataParallel
    # The only buffer, the position table, is the same everywhere. The option has a new name.
    known = inspect.signature(copying.__init__).parameters
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    options: dict[str, Any] = {buffers: False}
    copies = copying(
        forward,
        device_ids=[device.index] if device.type == "cuda" else None,
        gradient_as_bucket_view=True,
        **options,
    )
    return Parallel(copies, lambda last: contextlib.nullcontext() if last else copies.no_sync())


def warm_up(
    together: Parallel, objective: Objective, shape: tuple[int, ...], device: torch.device
) -> None:
    """One pass over a batch of this shape (N, C, H, W), whose gradients are thrown away.

    Before the first step of every attempt of several processes. DistributedDataParallel lays its
    buckets out anew after its first pass, in the order in which gradients came; where in a bucket a
    gradient lies decides in which order three or more processes add it up, so that the first step
    of a resumed run would round unlike the same step undisturbed. FSDP2 of older
    versions of torch moves the shards that need padding to a new place in its first pass.
    """
    x, y = torch.zeros(shape, device=device), torch.zeros(shape[0], dtype=torch.long, device=device)
    t = torch.from_numpy(objective.draw_times(np.random.default_rng(0), shape[0])).to(device)
    objective.training_losses(together.forward, x, t, x, y=y)["loss"].sum().backward()  # type: ignore[no-untyped-call]
    for parameter in together.forward.parameters():
        parameter.grad = None
