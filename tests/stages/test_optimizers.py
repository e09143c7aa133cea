"""Optimizers over a family's parameter groups: AdamW as before, Muon with AdamW beside it."""

from __future__ import annotations

import copy

import pytest
import torch

from harness import components
from harness.components.family import Input
from harness.errors import BadInput
from harness.models.families import DiTFamily, DiTMicroFamily
from harness.models.uvit import UViTFamily
from harness.stages.checkpoints import TrainingState
from harness.stages.optimizers import AdamW, Muon

GIVEN = Input(side=8, channels=3, num_classes=4, out_channels=6)
SHAPE = {"depth": 2, "width": 32, "heads": 2, "patch_size": 4}


def trained(model, optimizer, steps, first=0):
    for step in range(first, first + steps):
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(4, 3, 8, 8, generator=generator)
        out = model(x, torch.tensor([1.0, 200.0, 30.0, 4.0]), torch.arange(4))
        optimizer.zero_grad(set_to_none=True)
        (out - x.repeat(1, 2, 1, 1)).square().mean().backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


def test_adamw_over_the_groups_is_adamw_over_all_bit_for_bit() -> None:
    family = DiTMicroFamily(size="S", patch_size=4)
    torch.manual_seed(0)
    one = family.build(GIVEN)
    other = copy.deepcopy(one)
    grouped = AdamW(weight_decay=0.1).build(family.parameter_groups(one, 1e-3))
    whole = torch.optim.AdamW(
        other.parameters(), lr=1e-3, betas=(0.9, 0.999), weight_decay=0.1, fused=True
    )
    assert all(map(torch.equal, trained(one, grouped, 5), trained(other, whole, 5)))


@pytest.mark.parametrize("family", [DiTFamily(**SHAPE), UViTFamily(**{**SHAPE, "depth": 3})])
def test_hidden_matrices_are_those_of_the_blocks(family) -> None:
    model = family.build(GIVEN)
    names = {id(p): name for name, p in model.named_parameters()}
    hidden = {names[id(p)] for p in family.hidden_matrices(model)}
    assert all("block" in name and name.endswith("weight") for name in hidden)
    assert {"qkv", "proj", "fc1", "fc2"} <= {name.split(".")[-2] for name in hidden}
    assert not any("embed" in name or "final" in name or "norm" in name for name in hidden)


def test_rates_fall_with_the_width_where_a_base_width_is_given() -> None:
    for family in (
        DiTFamily(**SHAPE, base_width=16),
        UViTFamily(**{**SHAPE, "depth": 3}, base_width=16),
    ):
        groups = family.parameter_groups(family.build(GIVEN), 1e-3)
        assert {g["hidden"]: g["lr"] for g in groups} == {False: 1e-3, True: 5e-4}
    plain = DiTFamily(**SHAPE)
    assert {g["lr"] for g in plain.parameter_groups(plain.build(GIVEN), 1e-3)} == {1e-3}


def test_a_base_width_is_in_the_key_and_none_is_not() -> None:
    scaled, plain = DiTFamily(**SHAPE, base_width=16), DiTFamily(**SHAPE)
    assert scaled.architecture(GIVEN) == {**plain.architecture(GIVEN), "base_width": 16}
    assert DiTFamily.from_architecture(scaled.architecture(GIVEN)) == (scaled, GIVEN)
    assert "base_width" not in UViTFamily(**{**SHAPE, "depth": 3}).architecture(GIVEN)


def muon_model(seed: int = 0):
    family = DiTMicroFamily(size="S", patch_size=4)
    torch.manual_seed(seed)
    model = family.build(GIVEN)
    optimizer = Muon(weight_decay=0.01).build(family.parameter_groups(model, 1e-2))
    return family, model, optimizer


def test_muon_steps_matrices_orthogonally_and_the_rest_as_adamw() -> None:
    family, model, optimizer = muon_model()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trained(model, optimizer, 1)
    hidden = {id(p) for p in family.hidden_matrices(model)}
    moved = 0
    for name, parameter in model.named_parameters():
        state = optimizer.state[parameter]
        if id(parameter) in hidden:
            assert set(state) == {"momentum_buffer"}, name
            update = parameter.detach() - before[name]
            if bool(update.any()):  # adaLN's gates are zero: no gradient reaches behind them yet
                values = torch.linalg.svdvals(update / 1e-2)
                scale = 0.2 * max(parameter.shape) ** 0.5
                top = values[: min(parameter.shape)]
                assert float(top.max()) < 1.4 * scale
                moved += 1
        else:
            assert set(state) == {"step", "exp_avg", "exp_avg_sq"}, name
    assert moved > 0


@pytest.mark.slow
def test_muon_trains_and_a_resumed_training_is_bit_for_bit_the_undisturbed_one() -> None:
    _, undisturbed, optimizer = muon_model()
    through = trained(undisturbed, optimizer, 6)

    _, first, optimizer = muon_model()
    trained(first, optimizer, 3)
    state = TrainingState(first, copy.deepcopy(first), optimizer)
    saved = {name: value.clone() for name, value in state.tensors()}

    _, second, optimizer = muon_model(seed=1)
    TrainingState(second, copy.deepcopy(second), optimizer).restore(saved, 3)
    assert all(map(torch.equal, trained(second, optimizer, 3, first=3), through))


@pytest.mark.slow
def test_muon_goes_on_from_a_loaded_state_dict() -> None:
    _, one, optimizer = muon_model()
    trained(one, optimizer, 3)
    _, other, second = muon_model(seed=1)
    other.load_state_dict(one.state_dict())
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert all(map(torch.equal, trained(other, second, 2, 3), trained(one, optimizer, 2, 3)))


def test_a_lowered_rate_reaches_both_optimizers() -> None:
    _, model, optimizer = muon_model()
    before = [p.detach().clone() for p in model.parameters()]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    assert all(map(torch.equal, trained(model, optimizer, 2), before))


def test_muon_without_hidden_matrices_is_refused() -> None:
    parameter = torch.nn.Parameter(torch.zeros(3))
    with pytest.raises(BadInput, match="names none"):
        Muon().build([{"params": [parameter], "lr": 1e-3, "hidden": False}])


def test_the_registry_finds_them_and_keys_are_read_back() -> None:
    assert components.get("optimizer", "muon") is Muon
    muon = Muon(momentum=0.9)
    assert Muon.from_key("optimizer", muon.key_fields("optimizer")) == muon
    adamw = AdamW(weight_decay=0.1)
    assert AdamW.from_key("optimizer", adamw.key_fields("optimizer")) == adamw
