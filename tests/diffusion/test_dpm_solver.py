"""DPM-Solver++ converges with order two, to where the probability flow ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from mixtures import TWO, order
from scipy.stats import norm

from harness import components
from harness.diffusion.ddpm import DDIM, DDPM, diffusion
from harness.diffusion.dpm_solver import DPMSolver
from harness.diffusion.flow import Flow
from harness.errors import BadInput


def errors_at(sampler, steps) -> list[float]:
    """Root mean square distance from the flow's end, at each number of steps."""
    signal = diffusion(1000, None).schedule.alphas_cumprod

    def network(x, t):
        a, s = math.sqrt(signal[int(t[0])]), math.sqrt(1 - signal[int(t[0])])
        noise = TWO.noise(x, a, s)
        return torch.cat([noise, torch.full_like(noise, 7.0)], dim=1)  # a variance nobody reads

    z = torch.randn(400, 1, 1, 1, generator=torch.Generator().manual_seed(0)).double()
    # The flow begins at the last index, where a little of the data is left.
    a, variance = math.sqrt(signal[-1]), 1 - signal[-1]
    quantile = sum(
        w * norm.cdf((z.numpy() - a * m) / math.sqrt(a * a * d * d + variance))
        for w, m, d in zip(TWO.weights, TWO.means, TWO.stds, strict=True)
    )
    exact = TWO.at_the_end(norm.ppf(quantile))
    found = [sampler.sample(DDPM(), network, z, n, lambda i: None).numpy() for n in steps]
    return [float(np.sqrt(np.mean((each - exact) ** 2))) for each in found]


@pytest.mark.slow
def test_the_order_of_convergence_is_two_and_ddims_is_one() -> None:
    solver = errors_at(DPMSolver(), (40, 80, 160))
    ddim = errors_at(DDIM(), (40, 80, 160))
    assert order(solver) == pytest.approx(2, abs=0.3)
    assert order(ddim) == pytest.approx(1, abs=0.1)
    assert solver[-1] < ddim[-1] / 4


@pytest.mark.parametrize("steps", [1, 2, 10, 20, 50, 250])
def test_times_are_diffusers_own(steps) -> None:
    scheduler = DPMSolverMultistepScheduler(num_train_timesteps=1000)
    scheduler.set_timesteps(steps)
    assert list(DPMSolver().times(DDPM(), steps)) == scheduler.timesteps.tolist()
    assert DPMSolver().evaluations(DDPM(), steps) == steps


@pytest.mark.parametrize("steps", [1, 2, 3, 49])
def test_the_network_sees_the_times_promised(steps) -> None:
    seen: list[int] = []

    def network(x, t):
        seen.append(int(t[0]))
        return torch.cat([x, x], dim=1)

    DPMSolver().sample(DDPM(steps=50), network, torch.zeros(2, 1, 2, 2), steps, lambda i: None)
    assert seen == list(DPMSolver().times(DDPM(steps=50), steps))
    assert len(set(seen)) == steps


def test_what_it_does_not_serve_is_refused() -> None:
    assert components.get("sampler", "dpm-solver++") is DPMSolver
    with pytest.raises(BadInput, match="1 to 49 of 50"):
        DPMSolver().check(DDPM(steps=50), 50)
    with pytest.raises(BadInput, match="'flow' has no diffusion steps"):
        DPMSolver().check(Flow(), 10)
