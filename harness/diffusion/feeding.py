"""How many images a second the host can feed: the noise of sampling and of training, made alone.

A device that computes faster than this waits for the host. `bench` shows these rates beside what
the device reaches.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.diffusion.draws import SampleNoise, training_draws

TURNS = 2  # of each rate, by turns: the better one counts, as a neighbour may have had the other


@dataclass(frozen=True)
class HostRates:
    """What noise can be drawn for, each by the caller alone and ahead by `threads` threads."""

    threads: int  # as many as there are cores, 4 at most
    sampling: float  # images times sampler steps per second, batches of 125
    sampling_ahead: float
    training: float  # images per second, batches of 256
    training_ahead: float


def host_rates(shape: tuple[int, ...], seconds: float = 0.1) -> HostRates:
    """The rates for noise of `shape` (C, H, W); `seconds` for each of eight measurements."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = max(1, min(4, cores or 1))
    found: dict[tuple[Callable[..., float], int], float] = {}
    for _ in range(TURNS):
        for rate in (sampling_rate, training_rate):
            for count in (0, threads):
                each = rate(shape, threads=count, seconds=seconds)
                found[rate, count] = max(found.get((rate, count), 0.0), each)
    return HostRates(
        threads,
        sampling=found[sampling_rate, 0],
        sampling_ahead=found[sampling_rate, threads],
        training=found[training_rate, 0],
        training_ahead=found[training_rate, threads],
    )


def host_threads(most: int = 4) -> int:
    """Threads that draw noise for a device: this process's cores but one, 1 to `most`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(most, (cores or 1) - 1))


def sampling_rate(
    shape: tuple[int, ...], batch: int = 125, threads: int = 0, seconds: float = 1.0
) -> float:
    """Samples times loop steps per second for which noise of `shape` (C, H, W) can be made.

    Divided by the sampler's steps: images per second.
    """
    noise = SampleNoise(0, range(batch), shape, threads)
    return _rate(noise, batch, seconds)


def training_rate(
    shape: tuple[int, ...],
    batch: int = 256,
    threads: int = 0,
    posterior: bool = False,
    seconds: float = 1.0,
) -> float:
    """Images per second whose noise, times and labels to drop can be drawn for training."""

    def draw(step: int) -> None:
        training_draws(0, step, batch, shape, 1000, posterior=posterior, threads=threads)

    return _rate(draw, batch, seconds)


def _rate(draw: Callable[[int], object], batch: int, seconds: float) -> float:
    draw(0)  # threads start, pages are touched
    began, steps = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds or steps < 3:
        steps += 1
        draw(steps)
    return batch * steps / spent
