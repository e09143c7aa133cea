"""Data whose score, velocity and probability-flow trajectory are known: Gaussian mixtures.

Pixels are independent, so that everything is worked out in one dimension. With x_t = a x + s n,
n standard normal, component k has mean a m_k and variance a^2 d_k^2 + s^2 at noise level s / a; the
flow keeps the quantile of every pixel, so it ends at F_data^-1(Phi(z)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    weights: tuple[float, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.dot(self.weights, self.means))

    @property
    def variance(self) -> float:
        second = np.dot(self.weights, np.square(self.means) + np.square(self.stds))
        return float(second - self.mean**2)

    def clean(self, x_t: Tensor, a: Tensor | float, s: Tensor | float) -> Tensor:
        """E[x | x_t], of x_t's shape, in float64."""
        return self._posterior(x_t, a, s)[0]

    def noise(self, x_t: Tensor, a: Tensor | float, s: Tensor | float) -> Tensor:
        """E[n | x_t], of x_t's shape, in float64: minus s times the score."""
        return self._posterior(x_t, a, s)[1]

    def _posterior(
        self, x_t: Tensor, a: Tensor | float, s: Tensor | float
    ) -> tuple[Tensor, Tensor]:
        x_t = x_t.double()
        logs, clean, noise = [], [], []
        for w, m, d in zip(self.weights, self.means, self.stds, strict=True):
            variance = torch.as_tensor(a**2 * d**2 + s**2, dtype=torch.float64)
            off = x_t - a * m
            logs.append(np.log(w) - 0.5 * variance.log() - 0.5 * off**2 / variance)
            clean.append(m + a * d**2 / variance * off)
            noise.append(s / variance * off)
        shares = torch.stack(torch.broadcast_tensors(*logs)).softmax(dim=0)
        return (shares * torch.stack(clean)).sum(dim=0), (shares * torch.stack(noise)).sum(dim=0)

    def at_the_end(self, z: np.ndarray) -> np.ndarray:
        """Where the probability flow carries standard normal z, of z's shape."""
        wanted = norm.cdf(z)
        low, high = np.full(z.shape, -20.0), np.full(z.shape, 20.0)
        for _ in range(60):  # bisection
            middle = (low + high) / 2
            parts = zip(self.weights, self.means, self.stds, strict=True)
            below = sum(w * norm.cdf((middle - m) / d) for w, m, d in parts) < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2


GAUSSIAN = Mixture((1.0,), (0.6,), (0.5,))
TWO = Mixture((0.3, 0.7), (-0.9, 0.8), (0.35, 0.25))


def order(errors: list[float]) -> float:
    """The order of convergence of errors at steps n, 2 n, 4 n, ...: the slope's last part."""
    return float(np.log2(errors[-2] / errors[-1]))
