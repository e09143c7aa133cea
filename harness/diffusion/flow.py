"""Flow matching on the straight line between noise and data, and its samplers.

Time runs from noise (t = 0) to data (t = 1), as in SiT (Ma et al. 2024, 2401.08740):
x_t = t x + (1 - t) noise, whose velocity is x - noise. The network predicts that velocity, or the
data itself (JiT, Li and He 2025, 2511.13720), from which the velocity follows; the loss is of the
velocity either way.

Steps are integration steps: SiT's published "250 steps" of Euler are points of a grid, and so 249
steps here, each one evaluation of the network.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field

from harness.components.base import Later
from harness.components.objective import Objective
from harness.components.sampler import Sampler
from harness.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from harness.components.objective import Network
    from harness.components.sampler import Denoise, Noise

Positive = Annotated[float, Field(ge=1e-9, le=1e9)]  # a number in float32, squared too
Times = TypeVar("Times", float, "np.ndarray")


class Flow(Objective):
    """Flow matching: straight paths from noise to data (SiT), predicting velocity or data (JiT)."""

    name = "flow"
    default_sampler = "flow-euler"

    prediction: Literal["velocity", "data"] = "velocity"
    "What the network returns: the velocity (SiT), or the clean data (JiT)."

    time: Literal["uniform", "logit-normal"] = "uniform"
    "How training times are drawn: evenly, or as the logistic function of a normal number."

    time_mean: Annotated[float, Field(ge=-20, le=20)] = 0.0
    "Mean of that normal number; below 0, more of training is spent near the noise."

    time_std: Annotated[float, Field(ge=1e-9, le=20)] = 1.0
    "Standard deviation of that normal number."

    shift: Positive = 1.0
    "Above 1, times move towards the noise, t / (t + shift (1 - t)): for higher resolutions."

    time_scale: Positive = 1.0
    "What the network is given is t times this: 1 for SiT's checkpoints, 999 for U-ViT's."

    spare_channels: bool = False
    "The network returns as many channels again, which are not used, as SiT's checkpoints do."

    least_divisor: Annotated[float, Field(ge=1e-9, le=1)] = 0.05
    "With data prediction, the velocity is (data - x_t) / (1 - t), never divided by less than this."

    direction_weight: Annotated[float, Field(ge=0, le=1e9), Later] = 0.0
    "Weight of 1 - cosine of predicted and true velocity, added to the loss: 1 as LightningDiT."

    @property
    def time_range(self) -> tuple[float, float]:
        """Times go from 0, noise, to 1, data."""
        return 0.0, 1.0

    def out_channels(self, channels: int) -> int:
        """As many output channels as input channels; or twice as many, of which half are unused."""
        return 2 * channels if self.spare_channels else channels

    @property
    def predicts(self) -> str:
        """Velocity or data."""
        return self.prediction

    def draw_times(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Times in [0, 1], (count,) float32."""
        import numpy as np

        if self.time == "uniform":
            t = generator.random(count)
        else:
            t = 1 / (1 + np.exp(-generator.normal(self.time_mean, self.time_std, count)))
        return shifted(t, self.shift).astype(np.float32)

    def network_time(self, t: Tensor) -> Tensor:
        """t times the scale."""
        return t * self.time_scale

    def own_time(self, network_time: float) -> float:
        """Divided by the scale."""
        return network_time / self.time_scale

    def training_losses(
        self, network: Network, x: Tensor, t: Tensor, noise: Tensor, **condition: Any
    ) -> dict[str, Tensor]:
        """{"loss": (N,)}: the velocity's squared error, mean over channels and pixels.

        With a direction weight, `squared` and `direction` are given too, and the loss is
        squared + weight * direction: 1 less the cosine of the angle between the predicted and the
        true velocity of a pixel, as vectors over the channels, mean over pixels (LightningDiT,
        2501.01423, section 4.2).
        """
        time = t.to(x.dtype)[:, None, None, None]
        x_t = time * x + (1 - time) * noise
        output = first_channels(network(x_t, self.network_time(t.to(x.dtype)), **condition), x)
        divisor = (1 - time).clamp(min=self.least_divisor)
        error = (output - x) / divisor if self.prediction == "data" else output - (x - noise)
        squared = error.square().mean(dim=(1, 2, 3))
        if not self.direction_weight:
            return {"loss": squared}
        direction = self._direction(output, x, x_t, noise)
        loss = squared + self.direction_weight * direction
        return {"loss": loss, "squared": squared, "direction": direction}

    def _direction(self, output: Tensor, x: Tensor, x_t: Tensor, noise: Tensor) -> Tensor:
        """1 - cosine over channels, mean over pixels: (N,). No divisor turns a direction."""
        from torch.nn.functional import cosine_similarity

        predicted = output - x_t if self.prediction == "data" else output
        return 1 - cosine_similarity(predicted, x - noise, dim=1).mean(dim=(1, 2))

    def velocity(self, denoise: Denoise, x: Tensor, t: float, condition: dict[str, Any]) -> Tensor:
        """dx / dt at time t, (N, C, H, W), by one evaluation of the network."""
        import torch

        times = torch.full((x.shape[0],), t, dtype=x.dtype, device=x.device)
        output = first_channels(denoise(x, self.network_time(times), **condition), x)
        if self.prediction == "data":
            return (output - x) / max(1 - t, self.least_divisor)
        return output


class _FlowSampler(Sampler):
    """The common part of a flow's samplers: the grid of times, and the check of steps."""

    serves = ("flow",)

    shift: Positive | None = None
    "Above 1, more of the steps lie near the noise; left out, the training's shift."

    def check(self, objective: Objective, steps: int) -> None:
        """Raise BadInput without a step, or for an objective that is no flow."""
        as_flow(objective)
        if steps < 1:
            raise BadInput(f"{self.name} takes at least 1 step, not {steps}")

    def grid(self, objective: Objective, steps: int, end: float = 1.0) -> list[float]:
        """The times between which steps are taken, 0 to `end`: steps + 1 of them.

        Without numpy, as planning counts evaluations by it.
        """
        shift = as_flow(objective).shift if self.shift is None else self.shift
        even = [i * (1.0 / steps) for i in range(steps)]
        return [end * shifted(t, shift) for t in (*even, 1.0)]


class FlowEuler(_FlowSampler):
    """Euler's method along the flow: equal steps in time, one evaluation each."""

    name = "flow-euler"

    def times(self, objective: Objective, steps: int) -> Sequence[float]:
        """Times at which the steps begin."""
        return self.grid(objective, steps)[:-1]

    def sample(
        self,
        objective: Objective,
        denoise: Denoise,
        z: Tensor,
        steps: int,
        noise: Noise,
        **condition: Any,
    ) -> Tensor:
        """z (N, C, H, W), the noise at t = 0, to samples at t = 1; asks for no further noise."""
        import torch

        flow = as_flow(objective)
        grid = self.grid(objective, steps)
        x = z
        with torch.no_grad():
            for t, after in itertools.pairwise(grid):
                x = x.add(flow.velocity(denoise, x, t, condition), alpha=after - t)
        return x


class FlowHeun(_FlowSampler):
    """Heun's method along the flow, of second order: two evaluations per step.

    With data prediction the last step is Euler's, as no velocity is known at t = 1: one less.
    """

    name = "flow-heun"

    def times(self, objective: Objective, steps: int) -> Sequence[float]:
        """Times at which the steps begin and end."""
        grid = self.grid(objective, steps)
        both = [t for pair in itertools.pairwise(grid) for t in pair]
        return both[:-1] if as_flow(objective).prediction == "data" else both

    def sample(
        self,
        objective: Objective,
        denoise: Denoise,
        z: Tensor,
        steps: int,
        noise: Noise,
        **condition: Any,
    ) -> Tensor:
        """z (N, C, H, W), the noise at t = 0, to samples at t = 1; asks for no further noise."""
        import torch

        flow = as_flow(objective)
        grid = self.grid(objective, steps)
        x = z
        with torch.no_grad():
            for i, (t, after) in enumerate(itertools.pairwise(grid)):
                step = after - t
                first = flow.velocity(denoise, x, t, condition)
                ahead = x.add(first, alpha=step)
                if i + 1 == steps and flow.prediction == "data":
                    return ahead
                second = flow.velocity(denoise, ahead, after, condition)
                x = x.add(first.add(second), alpha=step / 2)
        return x


class FlowSDE(_FlowSampler):
    """Euler-Maruyama on the flow's SDE with diffusion coefficient 1 - t (SiT's "sigma").

    The last step follows the drift alone, without noise.
    """

    name = "flow-sde"

    last: Annotated[float, Field(gt=0, lt=1)] = 0.04
    "Length of the last step, in time."

    def check(self, objective: Objective, steps: int) -> None:
        """Raise BadInput for fewer than two steps: the last is of another kind."""
        super().check(objective, steps)
        if steps < 2:
            raise BadInput(f"{self.name} takes at least 2 steps, the last without noise")

    def times(self, objective: Objective, steps: int) -> Sequence[float]:
        """Times at which the steps begin: `steps` times from 0 to 1 - last."""
        return self.grid(objective, steps - 1, 1.0 - self.last)

    def sample(
        self,
        objective: Objective,
        denoise: Denoise,
        z: Tensor,
        steps: int,
        noise: Noise,
        **condition: Any,
    ) -> Tensor:
        """z (N, C, H, W), the noise at t = 0, to samples; one draw per step but the last.

        dx = (v + w s) dt + sqrt(2 w) dW with w = 1 - t and the score s = (t v - x) / (1 - t), so
        that the drift is (1 + t) v - x.
        """
        import torch

        from harness.diffusion.gaussian import drawn

        flow = as_flow(objective)
        grid = self.times(objective, steps)
        x = z
        with torch.no_grad():
            for i, t in enumerate(grid):
                end = i + 1 == steps
                draw = None if end else drawn(noise, i, z)  # first: overlaps on a device
                step = self.last if end else grid[i + 1] - t
                v = flow.velocity(denoise, x, t, condition)
                x = (x * (1 - step)).add_(v, alpha=(1 + t) * step)
                if draw is not None:
                    x = x.add_(draw, alpha=math.sqrt(2 * (1 - t) * step))
        return x


def as_flow(objective: Objective) -> Flow:
    """The objective as the flow that it must be. Raises BadInput."""
    if not isinstance(objective, Flow):
        raise BadInput(f"the objective {objective.name!r} has no flow to follow from noise to data")
    return objective


def shifted(t: Times, shift: float) -> Times:
    """Times moved towards the noise (Esser et al. 2024, 2403.03206, equation 23)."""
    return t / (t + shift * (1 - t))


def first_channels(output: Tensor, x: Tensor) -> Tensor:
    """The channels that stand for x's, in x's precision; further ones are not used."""
    channels = x.shape[1]
    if output.shape[1] not in (channels, 2 * channels):
        raise BadInput(
            f"the network returned {output.shape[1]} channels for {channels} input channels; "
            f"the objective needs {channels}, or {2 * channels} with spare channels"
        )
    return output[:, :channels].to(x.dtype)
