"""Batches on the device before they are asked for."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

Made = tuple[Tensor, ...]
THREADS = (
    4  # that make batches ahead: one alone feeds 20 steps/s of 256 images, a small DiT takes 40
)


def batches(
    make: Callable[[int], Made], steps: Iterable[int], device: torch.device, ahead: int
) -> Generator[Made, None, None]:
    """make(step) for all steps, in order, on `device`; threads keep up to `ahead` of them ready.

    ahead 0 makes each when it is asked for: on the CPU a thread would take the cores that compute.
    `make` must be a function of the step alone, which may be called in several threads at once.
    On a GPU the copies run on a stream of their own, from pinned memory. What `make` raises is
    raised here. Close the iterator to end the threads.
    """
    if not ahead:
        for step in steps:
            yield tuple(part.to(device) for part in make(step))
        return
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
    pool = ThreadPoolExecutor(min(ahead, THREADS), thread_name_prefix="batches")
    left = iter(steps)
    ready: deque[Future[tuple[Made, Any]]] = deque()

    def ask(count: int) -> None:
        for step in itertools.islice(left, count):
            ready.append(pool.submit(lambda step: _to_device(make(step), device, stream), step))

    try:
        ask(ahead)
        while ready:
            batch, copied = ready.popleft().result()
            ask(1)
            if copied is not None:
                current = torch.cuda.current_stream(device)
                current.wait_event(copied)
                for part in batch:
                    part.record_stream(current)
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)


def _to_device(batch: Made, device: torch.device, stream: Any) -> tuple[Made, Any]:
    if stream is None:
        return tuple(part.to(device) for part in batch), None
    with torch.cuda.stream(stream):
        moved = tuple(part.pin_memory().to(device, non_blocking=True) for part in batch)
        return moved, stream.record_event()
