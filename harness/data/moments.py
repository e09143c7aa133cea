"""Mean and standard deviation of a model's inputs, counted as they are encoded.

Diffusion models are made for inputs of mean 0 and standard deviation 1: noise schedules and
guidance scales assume it. An autoencoder's `scale` (and `shift`) bring its latents there for the
images that they were chosen on; whether they do for a study's own images is measured here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FAR_MEAN = 0.5  # from 0, in units of the deviation that is expected
FAR_STD = 2.0  # times too large, or too small


@dataclass(frozen=True)
class Moments:
    """Sums over all values of some inputs; those of two parts add up."""

    count: int
    total: float
    squares: float

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> float:
        """Mean of each channel."""
        return self.total / self.count

    @property
    def std(self) -> float:
        """Standard deviation of each channel."""
        return float(np.sqrt(max(0.0, self.squares / self.count - self.mean**2)))


NONE = Moments(0, 0.0, 0.0)


def of_rows(rows: np.ndarray, kind: str, scale: float) -> Moments:
    """Moments of stored rows, as training draws from them.

    kind "pixels": uint8 (N, C, H, W), which are read as x / 127.5 - 1. "posterior": (N, flip, mean
    or std, C, H, W), of which samples (mean + std noise) scale are drawn; both flips count.
    """
    if not len(rows):
        return NONE
    if kind == "pixels":
        levels = np.bincount(rows.reshape(-1), minlength=256).astype(np.float64)
        values = np.arange(256) / 127.5 - 1.0
        return Moments(rows.size, float(levels @ values), float(levels @ values**2))
    mean, std = (scale * rows[:, :, k].astype(np.float64) for k in (0, 1))
    squares = float(np.square(mean).sum() + np.square(std).sum())
    return Moments(mean.size, float(mean.sum()), squares)


def read(content: dict[str, Any] | None) -> Moments | None:
    """From a shard's commit; None where an older version wrote none."""
    return None if content is None else Moments(**content)


def far(mean: float, std: float) -> str | None:
    """A warning where diffusion does not expect latents of this mean and deviation; else None."""
    if abs(mean) <= FAR_MEAN and 1 / FAR_STD <= std <= FAR_STD:
        return None
    return (
        f"the latents have mean {mean:.2g} and standard deviation {std:.2g}, and diffusion expects "
        "about 0 and 1: noise levels, and guidance scales of others, do not mean the same here. "
        f"For these images a scale {1 / std:.2g} times as large would give 1"
        if std > 0
        else "the latents do not vary: this autoencoder makes the same of every image"
    )
