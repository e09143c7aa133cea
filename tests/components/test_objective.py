"""The contract of objectives: its own time, and names of samplers that there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.components import get
from harness.components.objective import BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_times_are_within_the_range_and_of_the_generator_alone(name: str) -> None:
    objective: Any = get("objective", name)()
    low, high = objective.time_range
    drawn = [objective.draw_times(np.random.default_rng(3), 1000) for _ in range(2)]
    assert np.array_equal(*drawn) and drawn[0].shape == (1000,)
    assert low <= drawn[0].min() < drawn[0].max() <= high


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_networks_time_is_undone(name: str) -> None:
    """A guidance interval is given in the objective's own time."""
    objective: Any = get("objective", name)()
    low, high = objective.time_range
    for share in (0.1, 0.5, 0.9):
        own = low + share * (high - low)
        given = objective.network_time(torch.tensor([own], dtype=torch.float64))
        assert objective.own_time(float(given)) == pytest.approx(own, rel=1e-6)


@pytest.mark.parametrize("name", BUILT_IN)
def test_its_sampler_serves_it_and_its_output_is_named(name: str) -> None:
    objective: Any = get("objective", name)()
    sampler: Any = get("sampler", objective.default_sampler)
    assert name in sampler.serves
    assert objective.predicts.split()[-1] in ("noise", "velocity", "data")
    assert objective.out_channels(4) in (4, 8)
