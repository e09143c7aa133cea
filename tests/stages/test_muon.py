"""Muon and AdamW as one optimizer: each steps as alone, and both are saved and restored."""

from __future__ import annotations

import copy

import pytest
import torch

from harness.errors import BadInput
from harness.stages.muon import MuonAndAdamW


def network() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Linear(6, 2))


def groups(model: torch.nn.Sequential) -> list[dict[str, object]]:
    hidden = [model[0].weight]
    others = [model[0].bias, *model[1].parameters()]
    return [
        {"params": hidden, "lr": 0.02, "hidden": True},
        {"params": others, "lr": 0.01},
    ]


def both(model: torch.nn.Sequential) -> MuonAndAdamW:
    return MuonAndAdamW(groups(model), momentum=0.9, weight_decay=0.1, betas=(0.9, 0.95))


def train(model: torch.nn.Sequential, optimizer: torch.optim.Optimizer, steps: int) -> None:
    x = torch.linspace(-1, 1, 24).reshape(4, 6)
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()


def test_each_parameter_goes_where_its_own_optimizer_takes_it() -> None:
    ours, alone = network(), network()
    optimizer = both(ours)
    hidden, others = groups(alone)
    muon = torch.optim.Muon(
        hidden["params"], lr=0.02, momentum=0.9, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    adamw = torch.optim.AdamW(others["params"], lr=0.01, betas=(0.9, 0.95), weight_decay=0.1)
    x = torch.linspace(-1, 1, 24).reshape(4, 6)
    for _ in range(3):
        train(ours, optimizer, 1)
        for each in (muon, adamw):
            each.zero_grad()
        alone(x).square().sum().backward()
        for each in (muon, adamw):
            each.step()
    for mine, theirs in zip(ours.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_rate_that_is_changed_is_used() -> None:
    still = network()
    optimizer = both(still)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = copy.deepcopy(still.state_dict())
    train(still, optimizer, 2)
    assert all(torch.equal(before[name], value) for name, value in still.state_dict().items())


def test_saved_and_restored_it_goes_on_bit_for_bit() -> None:
    whole, first, second = network(), network(), network()
    train(whole, both(whole), 5)
    optimizer = both(first)
    train(first, optimizer, 2)
    second.load_state_dict(first.state_dict())
    resumed = both(second)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(second, resumed, 3)
    for a, b in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_family_without_hidden_matrices_is_refused() -> None:
    model = network()
    with pytest.raises(BadInput, match="hidden_matrices"):
        MuonAndAdamW([{"params": list(model.parameters()), "lr": 0.1}], 0.9, 0.0, (0.9, 0.95))


def test_a_torch_without_muon_is_refused_before_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(BadInput, match=r"torch .* has no Muon.*set train\.optimizer: adamw"):
        both(network())
