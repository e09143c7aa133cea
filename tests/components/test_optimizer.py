"""The contract of optimizers: groups keep their rates, and the state is tensors and numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.components import get
from harness.components.optimizer import BUILT_IN


def groups() -> list[dict[str, Any]]:
    torch.manual_seed(0)
    hidden = torch.nn.Parameter(torch.randn(4, 4))
    other = torch.nn.Parameter(torch.randn(4))
    return [
        {"params": [other], "lr": 0.1, "hidden": False},
        {"params": [hidden], "lr": 0.01, "hidden": True},
    ]


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_group_keeps_its_rate_and_every_parameter_moves(name: str) -> None:
    optimizer = get("optimizer", name)().build(given := groups())  # type: ignore[attr-defined]
    before = [p.detach().clone() for group in given for p in group["params"]]
    rates = {group["lr"] for group in optimizer.param_groups}
    assert {0.1, 0.01} <= rates
    sum(p.square().sum() for group in given for p in group["params"]).backward()
    optimizer.step()
    after = [p for group in given for p in group["params"]]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", BUILT_IN)
def test_its_state_can_be_kept_in_a_checkpoint(name: str) -> None:
    optimizer = get("optimizer", name)().build(given := groups())  # type: ignore[attr-defined]
    sum(p.square().sum() for group in given for p in group["params"]).backward()
    optimizer.step()
    state = optimizer.state_dict()["state"]
    assert state
    for per_parameter in state.values():
        for value in per_parameter.values():
            assert isinstance(value, (torch.Tensor, int, float)) or value is None
