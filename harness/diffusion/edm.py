"""EDM (Karras et al. 2022, 2206.00364): preconditioned denoising and its sampler.

Time is the noise level sigma: x_t = x + sigma noise. The network F is given c_in x_t and
c_noise = ln(sigma) / 4, and the denoised image is D = c_skip x_t + c_out F (Table 1). The loss is
the paper's, lambda |D - x|^2 with lambda = 1 / c_out^2, which is |F - (x - c_skip x_t) / c_out|^2,
averaged over channels and pixels, where the published code sums.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from harness.components.objective import Objective
from harness.components.sampler import Sampler
from harness.diffusion.flow import first_channels
from harness.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from harness.components.objective import Network
    from harness.components.sampler import Denoise, Noise

# Their squares are numbers in float32, and 1 / (a noise level) is.
Positive = Annotated[float, Field(ge=1e-9, le=1e9)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]
MOST_CHURN = math.sqrt(2) - 1  # of the noise level, in one step


class EDM(Objective):
    """EDM: a preconditioned denoiser over noise levels drawn from a log-normal."""

    name = "edm"
    default_sampler = "edm-heun"

    noise_mean: Annotated[float, Field(ge=-20, le=20)] = -1.2
    "Mean of ln(sigma) in training (the paper's P_mean)."

    noise_std: Annotated[float, Field(ge=1e-9, le=20)] = 1.2
    "Standard deviation of ln(sigma) in training (P_std)."

    data_std: Positive = 0.5
    "Standard deviation of the data; 0.5 is that of images in [-1, 1]."

    @property
    def time_range(self) -> tuple[float, float]:
        """Noise levels have no upper limit."""
        return 0.0, math.inf

    def out_channels(self, channels: int) -> int:
        """The network has as many output channels as input channels."""
        return channels

    @property
    def predicts(self) -> str:
        """The data, preconditioned."""
        return "preconditioned data"

    def draw_times(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Noise levels, (count,) float32."""
        drawn = generator.normal(self.noise_mean, self.noise_std, count)
        return np.exp(drawn).astype(np.float32)

    def network_time(self, t: Tensor) -> Tensor:
        """c_noise = ln(sigma) / 4."""
        return t.log() / 4

    def own_time(self, network_time: float) -> float:
        """exp(4 c_noise)."""
        return math.exp(4 * network_time)

    def preconditioning(self, sigma: Any) -> tuple[Any, Any, Any]:
        """(c_skip, c_out, c_in) at noise level(s) sigma."""
        total = sigma**2 + self.data_std**2
        return self.data_std**2 / total, sigma * self.data_std / total**0.5, 1 / total**0.5

    def training_losses(
        self, network: Network, x: Tensor, t: Tensor, noise: Tensor, **condition: Any
    ) -> dict[str, Tensor]:
        """{"loss": (N,)}: the weighted squared error, mean over channels and pixels."""
        sigma = t.to(x.dtype)
        c_skip, c_out, c_in = self.preconditioning(sigma[:, None, None, None])
        x_t = x + sigma[:, None, None, None] * noise
        output = first_channels(network(c_in * x_t, self.network_time(sigma), **condition), x)
        error = output - (x - c_skip * x_t) / c_out
        return {"loss": error.square().mean(dim=(1, 2, 3))}

    def denoised(
        self, denoise: Denoise, x: Tensor, sigma: float, like: Tensor, condition: dict[str, Any]
    ) -> Tensor:
        """D(x; sigma), (N, C, H, W) float64, by one evaluation in `like`'s precision."""
        import torch

        c_skip, c_out, c_in = self.preconditioning(sigma)
        level = torch.full((x.shape[0],), sigma, dtype=torch.float64, device=x.device)
        scaled = (c_in * x).to(like.dtype)
        output = denoise(scaled, self.network_time(level).to(like.dtype), **condition)
        return c_skip * x + c_out * first_channels(output, x)  # type: ignore[no-any-return]


class EDMHeun(Sampler):
    """EDM's sampler (algorithm 2): Heun's method, Euler's at the last step; 2 n - 1 evaluations.

    With churn above 0, noise is added before a step and removed by it (stochastic sampling).
    """

    name = "edm-heun"
    serves = ("edm",)

    sigma_min: Positive = 0.002
    "The lowest noise level before none."

    sigma_max: Positive = 80.0
    "The noise level that sampling begins at."

    rho: Positive = 7.0
    "Above 1, more of the steps lie at low noise."

    churn: NotNegative = 0.0
    "Noise added over all steps (S_churn): 0 is deterministic."

    churn_min: NotNegative = 0.05
    "Noise is added from this level on (S_min)."

    churn_max: Positive = 50.0
    "Noise is added up to this level (S_max)."

    churn_noise: Positive = 1.003
    "Standard deviation of the noise that is added (S_noise)."

    @model_validator(mode="after")
    def _in_order(self) -> EDMHeun:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min {self.sigma_min} is not below sigma_max {self.sigma_max}")
        if self.churn and self.churn_min > self.churn_max:
            raise ValueError(
                f"churn_min {self.churn_min:g} is above churn_max {self.churn_max:g}: no noise "
                "would be added; exchange them, or set churn: 0"
            )
        return self

    def check(self, objective: Objective, steps: int) -> None:
        """Raise BadInput without a step, or for an objective that is not EDM's."""
        as_edm(objective)
        if steps < 1:
            raise BadInput(f"{self.name} takes at least 1 step, not {steps}")

    def levels(self, steps: int) -> list[float]:
        """Noise levels between which steps are taken (equation 5), the last 0: steps + 1."""
        ends = self.sigma_max ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        return [*(float(each) for each in np.linspace(*ends, steps) ** self.rho), 0.0]

    def churned(self, sigma: float, steps: int) -> float:
        """The noise level that a step begins at, noise having been added."""
        if not self.churn_min <= sigma <= self.churn_max:
            return sigma
        return sigma * (1 + min(self.churn / steps, MOST_CHURN))

    def times(self, objective: Objective, steps: int) -> Sequence[float]:
        """Noise levels at which the network is evaluated: where steps begin and end, less 0."""
        levels = self.levels(steps)
        both = [
            each
            for sigma, after in itertools.pairwise(levels)
            for each in (self.churned(sigma, steps), after)
        ]
        return both[:-1]

    def sample(
        self,
        objective: Objective,
        denoise: Denoise,
        z: Tensor,
        steps: int,
        noise: Noise,
        **condition: Any,
    ) -> Tensor:
        """z (N, C, H, W) to samples, in float64 between evaluations.

        Asks for the draw of a loop step where noise is added.
        """
        import torch

        from harness.diffusion.gaussian import drawn

        edm = as_edm(objective)
        levels = self.levels(steps)
        with torch.no_grad():
            x = z.double() * levels[0]
            for i, after in enumerate(levels[1:]):
                sigma = self.churned(levels[i], steps)
                if sigma > levels[i]:
                    added = math.sqrt(sigma**2 - levels[i] ** 2) * self.churn_noise
                    x = x + drawn(noise, i, z).double() * added
                slope = (x - edm.denoised(denoise, x, sigma, z, condition)) / sigma
                ahead = x + slope * (after - sigma)
                if after > 0:
                    second = (ahead - edm.denoised(denoise, ahead, after, z, condition)) / after
                    ahead = x + (slope + second) * ((after - sigma) / 2)
                x = ahead
        return x.to(z.dtype)


def as_edm(objective: Objective) -> EDM:
    """The objective as the one it must be. Raises BadInput."""
    if not isinstance(objective, EDM):
        raise BadInput(f"the objective {objective.name!r} has no denoiser over noise levels")
    return objective
