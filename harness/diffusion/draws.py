"""Every random number of sampling and training, as a function of what it is for (promise 1).

Sampling: noise and label of sample i are functions of (seed, i), whatever the batch, the shard or
the device. Training: the draws of step n's global batch are functions of (seed, n), whatever the
number of devices; a rank takes its rows.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from harness.data.randomness import generator, stream_key
from harness.errors import BadInput

AHEAD = 2  # draws of sampling that threads have begun: none waits for the slowest of the last one
BLOCK = 32  # rows of a training batch that share a generator: a rank draws its own blocks only


class SampleNoise:
    """The noise of some samples: `initial()` and, called with i, the draw of sampler loop step i.

    Each sample has one stream, read in order: initial, step 0, step 1, ... A sampler asks in that
    order, which costs one pass; a step asked for out of order rewinds the streams and reads up to
    it, so that any step can be replayed.

    threads: with 1 or more, the draws of the next two loop steps are made while the network does
    this one, by so many threads, each for its share of the samples: the same numbers. From the
    first loop step on: a sampler that asks for no noise costs none.
    """

    def __init__(
        self, seed: int, indices: Iterable[int], shape: tuple[int, ...], threads: int = 0
    ) -> None:
        self.seed = seed
        self.indices = [int(index) for index in indices]
        self.shape = tuple(shape)  # (C, H, W)
        self.threads = min(threads, len(self.indices))
        self._streams: list[np.random.Generator] = []
        self._next = -1  # the draw that would be given now; -1 is the initial noise
        # of draw `_next` and those behind it, in order
        self._begun: collections.deque[tuple[np.ndarray, list[Future[None]]]] = collections.deque()
        self._rewind()

    def initial(self) -> Tensor:
        """z, the samplers' starting point: (N, C, H, W) float32 on the CPU, standard normal."""
        return self._at(-1)

    def __call__(self, i: int) -> Tensor:
        """The draw of loop step i (0 = noisiest): (N, C, H, W) float32 on the CPU."""
        if i < 0:
            raise BadInput(f"loop steps count from 0, not {i}")
        return self._at(i)

    def _rewind(self) -> None:
        while self._begun:  # threads still read the streams that are dropped here
            self._finish()
        self._streams = [generator("sample-noise", self.seed, index) for index in self.indices]
        self._next = -1

    def _at(self, i: int) -> Tensor:
        if i < self._next:
            self._rewind()
        while True:
            if not self._begun:
                self._begin()
            out = self._finish()
            self._next += 1
            if self._next > i:
                while self.threads and i >= 0 and len(self._begun) < AHEAD:
                    self._begin()
                return torch.from_numpy(out).view(len(self.indices), *self.shape)

    def _begin(self) -> None:
        """Make the draw behind those that were begun: by threads, or here and now."""
        out = np.empty((len(self.indices), int(np.prod(self.shape))), dtype=np.float32)
        futures: list[Future[None]] = []
        if self.threads:
            # A share is always the same thread's, which reads its streams in order.
            bounds = np.linspace(0, len(out), self.threads + 1).round().astype(int)
            shares = itertools.pairwise(bounds)
            for thread, (start, stop) in zip(_own_threads(self.threads), shares, strict=True):
                futures.append(thread.submit(_fill, out[start:stop], self._streams[start:stop]))
        else:
            _fill(out, self._streams)
        self._begun.append((out, futures))

    def _finish(self) -> np.ndarray:
        """The first draw that was begun, once it is made."""
        out, futures = self._begun.popleft()
        for each in futures:
            each.result()
        return out


def _fill(out: np.ndarray, streams: list[np.random.Generator]) -> None:
    """Each row from its stream. numpy lets other threads run while it draws."""
    for row, stream in zip(out, streams, strict=True):
        stream.standard_normal(dtype=np.float32, out=row)


@cache
def _own_threads(count: int) -> tuple[ThreadPoolExecutor, ...]:
    """Threads that do each what they are given in its order, started once per process."""
    return tuple(ThreadPoolExecutor(1, thread_name_prefix=f"draws-{i}") for i in range(count))


@cache
def thread_pool(threads: int) -> ThreadPoolExecutor:
    """The threads that make draws, started once per process."""
    return ThreadPoolExecutor(threads, thread_name_prefix="draws")


def sample_labels(
    seed: int,
    indices: Iterable[int],
    num_classes: int,
    counts: np.ndarray | None = None,
) -> Tensor:
    """Labels in [0, num_classes), (N,) int64; each depends on (seed, index) alone.

    counts: how often each label is to be drawn, whole numbers (num_classes,) of which not all are
    0; None: all alike. Equal counts give the same labels as None.

    Without classes (0) each is 0, the null label of unconditional models.

    A hash of the index under the seed's key (SplitMix64, Steele et al. 2014), so that 50,000 labels
    cost no 50,000 generators; high bits scaled to the range (bias below num_classes / 2^32).
    """
    index = np.asarray(
        indices if isinstance(indices, np.ndarray) else list(indices), dtype=np.int64
    ).astype(np.uint64)
    if num_classes < 0:
        raise BadInput(f"labels of {num_classes} classes")
    if num_classes == 0:
        return torch.zeros(len(index), dtype=torch.int64)
    key = stream_key("sample-label", seed)
    h = index * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key & (2**64 - 1))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        h = (h ^ (h >> np.uint64(shift))) * np.uint64(factor)
        h ^= np.uint64(key >> 64)  # the key's other half, between the rounds
    h ^= h >> np.uint64(31)
    high = h >> np.uint64(32)
    if counts is None:
        labels = high * np.uint64(num_classes) >> np.uint64(32)
        return torch.from_numpy(labels.astype(np.int64))
    upto = np.cumsum(np.asarray(counts, dtype=np.uint64))
    if len(upto) != num_classes or not 1 <= upto[-1] < 2**32:
        raise BadInput(f"counts of {len(upto)} labels for {num_classes} classes, {upto[-1]} in all")
    drawn = high * upto[-1] >> np.uint64(32)  # one of all images
    return torch.from_numpy(np.searchsorted(upto, drawn, side="right").astype(np.int64))


@dataclass(frozen=True)
class TrainingDraws:
    """The random draws of one training step, for rows of its global batch; all on the CPU."""

    t: Tensor  # (N,), times as the objective draws them (DDPM: int64 indices of timesteps)
    noise: Tensor  # (N, C, H, W) float32
    posterior_noise: Tensor | None  # (N, C, H, W) float32, for latents with a posterior
    drop: Tensor  # (N,) bool: replace the label by the null label
    flip: Tensor  # (N,) bool: take the mirrored image


def training_draws(
    seed: int,
    step: int,
    batch_size: int,
    shape: tuple[int, ...],
    times: int | Callable[[np.random.Generator, int], np.ndarray],
    label_dropout: float = 0.1,
    flip: bool = True,
    posterior: bool = False,
    rows: tuple[int, int] | None = None,
    threads: int = 0,
) -> TrainingDraws:
    """The draws of training step `step`, functions of (seed, step) and the global batch size.

    shape (C, H, W); times: an objective's draw_times, or how many timesteps there are.
    rows (start, stop) returns that part of the global batch, equal to the slice of the whole, and
    draws little more than it. threads: how many draw, 0: the caller; the same numbers.
    """
    start, stop = rows if rows is not None else (0, batch_size)
    if not 0 <= start < stop <= batch_size:
        raise BadInput(f"rows {start} to {stop} are not part of a global batch of {batch_size}")
    small = generator("training", seed, step)
    if isinstance(times, int):
        t = small.integers(0, times, batch_size)
    else:
        t = np.asarray(times(small, batch_size))
    chance = small.random((2, batch_size), dtype=np.float32)
    return TrainingDraws(
        t=torch.from_numpy(t[start:stop]),
        noise=_rows("training-noise", seed, step, batch_size, shape, start, stop, threads),
        posterior_noise=(
            _rows("training-posterior", seed, step, batch_size, shape, start, stop, threads)
            if posterior
            else None
        ),
        drop=torch.from_numpy(chance[0, start:stop] < label_dropout),
        flip=torch.from_numpy((chance[1, start:stop] < 0.5) & flip),
    )


def _rows(
    purpose: str,
    seed: int,
    step: int,
    batch_size: int,
    shape: tuple[int, ...],
    start: int,
    stop: int,
    threads: int,
) -> Tensor:
    """Rows start to stop of a (batch_size, *shape) standard normal draw, by whole blocks."""
    first, last = start // BLOCK, (stop - 1) // BLOCK
    end = min((last + 1) * BLOCK, batch_size)
    size = int(np.prod(shape))
    out = np.empty((end - first * BLOCK, size), dtype=np.float32)

    def draw(block: int) -> None:
        begin = (block - first) * BLOCK
        generator(purpose, seed, step, block).standard_normal(
            dtype=np.float32, out=out[begin : begin + BLOCK]
        )

    blocks = range(first, last + 1)
    for _ in thread_pool(threads).map(draw, blocks) if threads else map(draw, blocks):
        pass
    offset = first * BLOCK
    return torch.from_numpy(out[start - offset : stop - offset]).view(stop - start, *shape)
