"""Samplers: `evaluations.*.sampler` in a study.

A sampler turns noise into images (latents) with a trained network. Guidance is ours and wraps the
network, so a sampler just calls denoise(x, t, y=y), t (N,) being what the network is given.

Deterministic: sample i depends on row i of z, of `noise` and of y alone: alone, in any batch and in
any shard the same, to rounding.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.base import Component
from harness.components.objective import Objective

if TYPE_CHECKING:
    from torch import Tensor

    Denoise = Callable[..., Tensor]  # denoise(x (N, C, H, W), t (N,), **condition)
    Noise = Callable[[int], Tensor]  # loop step, 0 = noisiest -> (N, C, H, W) standard normal

BUILT_IN = {
    "ancestral": "harness.diffusion.ddpm:Ancestral",
    "ddim": "harness.diffusion.ddpm:DDIM",
    "flow-euler": "harness.diffusion.flow:FlowEuler",
    "flow-heun": "harness.diffusion.flow:FlowHeun",
    "flow-sde": "harness.diffusion.flow:FlowSDE",
    "edm-heun": "harness.diffusion.edm:EDMHeun",
    "dpm-solver++": "harness.diffusion.dpm_solver:DPMSolver",
}


class Sampler(Component):
    """How samples are drawn from a trained network."""

    kind: ClassVar[str] = "sampler"
    serves: ClassVar[tuple[str, ...]]  # names of the objectives whose networks it samples from

    @abstractmethod
    def check(self, objective: Objective, steps: int) -> None:
        """Raise BadInput when `steps` cannot be taken with this objective."""

    @abstractmethod
    def times(self, objective: Objective, steps: int) -> Sequence[float]:
        """The objective's own time at every evaluation of the network, in their order.

        Their number is what one image costs in evaluations: not always `steps` (Heun: 2n - 1).
        """

    @abstractmethod
    def sample(
        self,
        objective: Objective,
        denoise: Denoise,
        z: Tensor,
        steps: int,
        noise: Noise,
        **condition: Any,
    ) -> Tensor:
        """z (N, C, H, W) standard normal, float32, to samples (N, C, H, W).

        noise(i) gives the draw of loop step i; ask for them in ascending order.
        """

    def evaluations(self, objective: Objective, steps: int) -> int:
        """Network evaluations per image."""
        return len(self.times(objective, steps))
