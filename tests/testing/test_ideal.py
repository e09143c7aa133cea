"""The network found by minimising an objective's loss is the one known in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from harness.diffusion.ddpm import DDPM, diffusion
from harness.diffusion.flow import Flow
from harness.testing.ideal import IdealNetwork

MEAN, STD = 0.4, 0.3


@pytest.mark.parametrize("t", [0.0, 0.3, 0.8, 1.0])
def test_the_flows_velocity(t) -> None:
    x = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64).view(3, 1, 1, 1)
    found = IdealNetwork(Flow(), MEAN, STD)(x, torch.full((3,), t))
    variance = t**2 * STD**2 + (1 - t) ** 2
    known = MEAN + (t * STD**2 - (1 - t)) / variance * (x - t * MEAN)
    torch.testing.assert_close(found, known, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("t", [10, 500, 999])
def test_ddpms_noise_and_variance(t) -> None:
    x = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64).view(3, 1, 1, 1)
    noise, v = IdealNetwork(DDPM(), MEAN, STD)(x, torch.full((3,), t)).chunk(2, dim=1)
    table = diffusion(1000, None).schedule
    a = float(table.alphas_cumprod[t])
    variance = a * STD**2 + 1 - a
    known = (1 - a) ** 0.5 / variance * (x - a**0.5 * MEAN)
    torch.testing.assert_close(noise, known, rtol=1e-4, atol=1e-5)
    # The reverse variance adds what is not known of x_0 to the posterior's (DDPM equation 7).
    unknown = STD**2 * (1 - a) / variance
    reverse = float(table.posterior_variance[t]) + float(table.posterior_mean_x0[t]) ** 2 * unknown
    low, high = float(table.posterior_log_variance[t]), math.log(table.betas[t])
    share = float((v[0] + 1) / 2)  # far from the data the bounds meet, and it says little
    assert share * high + (1 - share) * low == pytest.approx(math.log(reverse), abs=0.005)
