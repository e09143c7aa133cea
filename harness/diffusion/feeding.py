"""How many images a second the host can feed: the noise of sampling and of training, made alone.

A device that computes faster than this waits for the host. `bench` shows these rates beside what
the device reaches.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from harness.diffusion.draws import SampleNoise, training_draws


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
