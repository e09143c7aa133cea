"""Mean and covariance in float64, whole or streamed, mergeable over processes.

The update is Chan, Golub & LeVeque's pairwise formula (1979): each block is centred on its own mean
before it is multiplied, so that features far from the origin lose no digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput

_BLOCK = 1024  # rows gathered before a rank update: a D x D addition per small batch would dominate


def checked(x: ArrayLike, what: str = "features", before: int = 0) -> NDArray[np.floating]:
    """`x` as an (N, D) floating array without NaN or infinity; BadInput says which row is not.

    before: rows of the same set that came before these, for the row's number.
    """
    array = np.asarray(x)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.number):
        raise BadInput(
            f"{what} must be an (N, D) array of numbers, got shape {array.shape}, {array.dtype}"
        )
    if not np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float64)
    for start in range(0, len(array), _BLOCK):
        finite = np.isfinite(array[start : start + _BLOCK]).all(axis=1)
        if not finite.all():
            row = before + start + int(np.argmin(finite))
            raise BadInput(f"{what}: row {row} holds NaN or infinity (the first is row 0)")
    return array


@dataclass(frozen=True)
class Moments:
    """Count, mean (D,) and unbiased covariance (D, D), float64; what np.mean and np.cov give."""

    count: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, x: ArrayLike) -> Moments:
        """Moments of the rows of `x` (N, D). BadInput: fewer than 2 rows, NaN, another shape."""
        return MomentsAccumulator().update(x).finish()

    @property
    def dimensions(self) -> int:
        """D, the number of features."""
        return len(self.mean)


class MomentsAccumulator:
    """Streams (n, D) blocks into Moments: `update` as often as wanted, `merge`, then `finish`."""

    def __init__(self) -> None:
        self._count = 0
        self._mean: NDArray[np.float64] | None = None
        self._scatter: NDArray[np.float64] | None = None  # sum of outer products about the mean
        self._waiting: list[NDArray[np.floating]] = []
        self._waiting_rows = 0

    @property
    def count(self) -> int:
        """Rows seen so far."""
        return self._count + self._waiting_rows

    def update(self, x: ArrayLike) -> MomentsAccumulator:
        """Adds the rows of `x` (n, D). BadInput: NaN, or another D than before."""
        rows = checked(x)
        width = self._width()
        if width is not None and rows.shape[1] != width:
            raise BadInput(f"features have {rows.shape[1]} dimensions, earlier ones had {width}")
        if len(rows):
            self._waiting.append(rows if len(rows) >= _BLOCK else rows.copy())
            self._waiting_rows += len(rows)
        if self._waiting_rows >= _BLOCK:
            self._fold()
        return self

    def merge(self, other: MomentsAccumulator) -> MomentsAccumulator:
        """Adds what `other` has seen (another process, another shard); `other` stays as it was."""
        self._fold()
        other._fold()
        if other._mean is None or other._scatter is None:
            return self
        width = self._width()
        if width is not None and len(other._mean) != width:
            raise BadInput(f"features have {len(other._mean)} dimensions, earlier ones had {width}")
        self._combine(other._count, other._mean, other._scatter)
        return self

    def finish(self) -> Moments:
        """The moments of all rows seen. BadInput when there are fewer than 2."""
        self._fold()
        if self._mean is None or self._scatter is None or self._count < 2:
            raise BadInput(f"a covariance needs at least 2 samples, there are {self._count}")
        covariance = self._scatter / (self._count - 1)
        return Moments(self._count, self._mean.copy(), (covariance + covariance.T) / 2)

    def _width(self) -> int | None:
        if self._mean is not None:
            return len(self._mean)
        return self._waiting[0].shape[1] if self._waiting else None

    def _fold(self) -> None:
        if not self._waiting:
            return
        rows = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        self._waiting, self._waiting_rows = [], 0
        for start in range(0, len(rows), 4 * _BLOCK):
            block = rows[start : start + 4 * _BLOCK].astype(np.float64)
            mean = block.mean(axis=0)
            block -= mean
            self._combine(len(block), mean, block.T @ block)

    def _combine(self, count: int, mean: NDArray[np.float64], scatter: NDArray[np.float64]) -> None:
        if self._mean is None or self._scatter is None:
            self._count, self._mean, self._scatter = count, mean.copy(), scatter.copy()
            return
        total = self._count + count
        delta = mean - self._mean
        self._scatter += scatter
        self._scatter += np.outer(delta, delta * (self._count * count / total))
        self._mean = self._mean + delta * (count / total)
        self._count = total
