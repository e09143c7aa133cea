"""DPM-Solver++ (Lu et al. 2022, 2211.01095) for DDPM models, through diffusers' scheduler.

The second-order multistep method ("2M"), over evenly spaced diffusion steps down to the last but
one (diffusers' "linspace"): one evaluation of the network each. The step to no noise is then of
first order. (With index 0 among the steps, as DDIM has it, the second-order step to it is so long
in log-SNR that it overshoots: measured, ten steps are then worse than DDIM's.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.components.objective import Objective
from harness.components.sampler import Sampler
from harness.diffusion.ddpm import as_ddpm
from harness.diffusion.schedule import linear_betas
from harness.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from harness.components.sampler import Denoise, Noise


class DPMSolver(Sampler):
    """DPM-Solver++ 2M: deterministic, second order, for few steps."""

    name = "dpm-solver++"
    serves = ("ddpm",)

    def check(self, objective: Objective, steps: int) -> None:
        """Raise BadInput for as many steps as the objective has, or none."""
        most = as_ddpm(objective).steps - 1
        if not 1 <= steps <= most:
            raise BadInput(f"{self.name} takes 1 to {most} of {most + 1} diffusion steps: {steps}")

    def evaluations(self, objective: Objective, steps: int) -> int:
        """One network evaluation for each step."""
        return steps

    def times(self, objective: Objective, steps: int) -> Sequence[float]:
        """Indices of diffusion steps, noisiest first."""
        grid = np.linspace(0, as_ddpm(objective).steps - 1, steps + 1).round()
        return [int(t) for t in grid[:0:-1]]

    def sample(
        self,
        objective: Objective,
        denoise: Denoise,
        z: Tensor,
        steps: int,
        noise: Noise,
        **condition: Any,
    ) -> Tensor:
        """z (N, C, H, W) to samples; asks for no further noise, and for no variance."""
        import torch

        from harness.diffusion.flow import first_channels

        times = [int(t) for t in self.times(objective, steps)]
        scheduler = _scheduler(as_ddpm(objective).steps, times)
        x = z
        with torch.no_grad():
            for t in times:
                given = torch.full((len(x),), t, dtype=torch.int64, device=x.device)
                predicted = first_channels(denoise(x, given, **condition), x)
                x = scheduler.step(predicted, t, x, return_dict=False)[0]
        return x


def _scheduler(steps: int, times: list[int]) -> Any:
    """diffusers' scheduler, about to take its first step; it keeps what the last one found."""
    from diffusers import DPMSolverMultistepScheduler

    scheduler: Any = DPMSolverMultistepScheduler(  # type: ignore[no-untyped-call]
        num_train_timesteps=steps,
        trained_betas=linear_betas(steps),
        solver_order=2,
        algorithm_type="dpmsolver++",
        prediction_type="epsilon",
    )
    scheduler.set_timesteps(timesteps=times)
    return scheduler
