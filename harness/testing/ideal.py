"""The network that an objective would train on Gaussian data, without training it.

For data x ~ N(mean, std^2), pixels independent, the best output at one time is affine in what the
network is given (and constant in further channels, such as a variance). Its few numbers are found
by minimising the objective's own loss over a grid of data and noise whose first two moments are
exact, so that nothing is left to chance. Any objective that keeps its contract can be asked.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from harness.components.objective import Objective

GRID = 24  # quantiles of the data, and as many of the noise
ITERATIONS = 60


class IdealNetwork:
    """Called as network(x, t, **condition), for images of one channel. See the module's text."""

    def __init__(self, objective: Objective, mean: float, std: float) -> None:
        self.objective = objective
        self.whole_times = _drawn_type(objective) == torch.int64
        quantiles = torch.from_numpy(norm.ppf((np.arange(GRID) + 0.5) / GRID))
        quantiles = quantiles / quantiles.square().mean().sqrt()
        data, noise = torch.meshgrid(quantiles, quantiles, indexing="ij")
        self.data = (mean + std * data).reshape(-1, 1, 1, 1)
        self.noise = noise.reshape(-1, 1, 1, 1)
        self._fitted: dict[float, Tensor] = {}

    def __call__(self, x: Tensor, t: Tensor, **condition: object) -> Tensor:
        first = float(t[0])
        if first not in self._fitted:
            self._fitted[first] = self._fit(self.objective.own_time(first))
        slope, offset, *rest = self._fitted[first].to(x.dtype)
        further = [torch.full_like(x, float(each)) for each in rest]
        return torch.cat([slope * x + offset, *further], dim=1)

    def _fit(self, time: float) -> Tensor:
        """Slope and offset, and one constant per further channel: (1 + out_channels(1),)."""
        numbers = torch.zeros(
            1 + self.objective.out_channels(1), dtype=torch.float64, requires_grad=True
        )
        t = torch.full((len(self.data),), time, dtype=torch.float64)
        if self.whole_times:
            t = t.round().long()

        def network(x: Tensor, t: Tensor) -> Tensor:
            further = [each.expand_as(x) for each in numbers[2:]]
            return torch.cat([numbers[0] * x + numbers[1], *further], dim=1)

        with torch.enable_grad():
            optimizer = torch.optim.LBFGS(
                [numbers],
                max_iter=ITERATIONS,
                tolerance_grad=1e-10,
                tolerance_change=1e-14,
                line_search_fn="strong_wolfe",
            )

            def closure() -> Tensor:
                optimizer.zero_grad()
                found = self.objective.training_losses(network, self.data, t, self.noise)["loss"]
                loss = found.mean()
                loss.backward()  # type: ignore[no-untyped-call]
                return loss

            optimizer.step(closure)  # type: ignore[no-untyped-call]
        return numbers.detach()


def _drawn_type(objective: Objective) -> torch.dtype:
    return torch.from_numpy(objective.draw_times(np.random.default_rng(0), 1)).dtype
