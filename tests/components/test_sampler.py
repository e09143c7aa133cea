"""The contract of samplers: which objectives they serve, and what an image costs."""

from __future__ import annotations

from typing import Any

import pytest

from harness.components import get
from harness.components.objective import BUILT_IN as OBJECTIVES
from harness.components.sampler import BUILT_IN
from harness.errors import BadInput


@pytest.mark.parametrize("name", BUILT_IN)
def test_it_serves_objectives_that_there_are_and_costs_its_evaluations(name: str) -> None:
    sampler: Any = get("sampler", name)()
    assert sampler.serves and set(sampler.serves) <= set(OBJECTIVES)
    for served in sampler.serves:
        objective: Any = get("objective", served)()
        times = sampler.times(objective, 10)
        low, high = objective.time_range
        assert sampler.evaluations(objective, 10) == len(times) >= 10
        assert all(low <= float(t) <= high for t in times)
        assert sampler.evaluations(objective, 20) > len(times)


@pytest.mark.parametrize(
    ("name", "evaluations"),
    [("ddim", 18), ("flow-heun", 36), ("edm-heun", 35)],  # EDM's last step is of first order
)
def test_a_second_order_step_costs_two_evaluations(name: str, evaluations: int) -> None:
    sampler: Any = get("sampler", name)()
    objective: Any = get("objective", sampler.serves[0])()
    assert sampler.evaluations(objective, 18) == evaluations


@pytest.mark.parametrize("name", ["ancestral", "ddim"])
def test_more_steps_than_there_are_timesteps_are_refused(name: str) -> None:
    sampler: Any = get("sampler", name)()
    objective: Any = get("objective", "ddpm")()
    sampler.check(objective, 1000)
    with pytest.raises(BadInput, match=r"1001 is more than diffusion\.steps 1000"):
        sampler.check(objective, 1001)
