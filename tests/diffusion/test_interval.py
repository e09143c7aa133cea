"""A guidance interval holds its ends, whatever float32 made of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.diffusion import guided
from harness.diffusion.edm import EDM, EDMHeun
from harness.diffusion.flow import Flow, FlowEuler, FlowHeun, FlowSDE
from harness.diffusion.interval import holds
from harness.plan import cost


def test_ends_are_included_and_neighbours_are_not() -> None:
    assert holds((100, 400), 100)
    assert holds((100, 400), 400)
    assert not holds((100, 400), 99)
    assert not holds((100, 400), 401)
    assert holds((0.7, 1.0), float(np.float32(0.7)))  # just below 0.7
    assert not holds((0.7, 1.0), 0.69)
    assert holds((0.0, 0.5), 0.0)


class Counts(torch.nn.Module):
    """A network that counts the rows it is given."""

    null_label = 10

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def forward(self, x, t, y):
        self.rows += len(x)
        return x


@pytest.mark.parametrize(
    ("objective", "sampler", "interval"),
    [
        (Flow(), FlowEuler(), (0.1, 0.7)),
        (Flow(time_scale=999.0), FlowEuler(), (0.3, 0.9)),
        (Flow(shift=3.0), FlowHeun(), (0.1, 0.7)),
        (Flow(prediction="data"), FlowHeun(), (0.3, 1.0)),
        (Flow(time_scale=1000.0), FlowSDE(shift=2.0), (0.0, 0.5)),
        (EDM(), EDMHeun(), (EDMHeun().levels(10)[7], EDMHeun().levels(10)[2])),
        (EDM(), EDMHeun(churn=40.0), (0.1, 5.0)),
    ],
)
def test_as_many_evaluations_are_guided_as_are_paid_for(objective, sampler, interval) -> None:
    network = Counts()
    denoise = guided(network, 2.0, None, interval, own_time=objective.own_time)
    z, y = torch.randn(1, 3, 2, 2), torch.tensor([1])
    sampler.sample(objective, denoise, z, 10, lambda i: torch.zeros_like(z), y=y)
    guided_times = cost.guided(sampler, objective, 10, interval)
    assert guided_times
    assert network.rows == sampler.evaluations(objective, 10) + guided_times
