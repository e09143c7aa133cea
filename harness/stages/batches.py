"""Batches on the device before they are asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any

import torch
from torch import Tensor

Made = tuple[Tensor, ...]


def batches(
    make: Callable[[int], Made], steps: Iterable[int], device: torch.device, ahead: int
) -> Generator[Made, None, None]:
    """make(step) for all steps, on `device`; a thread keeps up to `ahead` of them ready.

    ahead 0 makes each when it is asked for: on the CPU a thread would take the cores that compute.
    On a GPU the copies run on a stream of their own, from pinned memory. What `make` raises is
    raised here. Close the iterator to end the thread.
    """
    if not ahead:
        for step in steps:
            yield tuple(part.to(device) for part in make(step))
        return
    ready: queue.Queue[tuple[Made, Any] | BaseException | None] = queue.Queue(ahead)
    closed = threading.Event()
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def put(item: Any) -> bool:
        while not closed.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for step in steps:
                if not put(_to_device(make(step), device, stream)):
                    return
            put(None)
        except BaseException as error:  # raised again in the thread that asks
            put(error)

    thread = threading.Thread(target=produce, name="batches", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            batch, copied = item
            if copied is not None:
                current = torch.cuda.current_stream(device)
                current.wait_event(copied)
                for part in batch:
                    part.record_stream(current)
            yield batch
    finally:
        closed.set()
        thread.join()


def _to_device(batch: Made, device: torch.device, stream: Any) -> tuple[Made, Any]:
    if stream is None:
        return tuple(part.to(device) for part in batch), None
    with torch.cuda.stream(stream):
        moved = tuple(part.pin_memory().to(device, non_blocking=True) for part in batch)
        return moved, stream.record_event()
