"""Laws of optimizers: what a step, a schedule and a resumed training rely on."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from harness.components.optimizer import Optimizer

RATE, STEPS = 1e-2, 4


def the_loss_falls(optimizer: Optimizer) -> None:
    """Fifty steps on a small regression end below where they began."""
    model = _model()
    stepper = optimizer.build(_groups(model))
    first = _step(model, stepper, 0)
    last = [_step(model, stepper, 0) for _ in range(50)][-1]
    if not last < first:
        raise AssertionError(f"a regression's loss went from {first:.4g} to {last:.4g}")


def every_parameter_is_stepped(optimizer: Optimizer) -> None:
    """No parameter of any group stays where it was."""
    model = _model()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    stepper = optimizer.build(_groups(model))
    for step in range(STEPS):
        _step(model, stepper, step)
    for name, parameter in model.named_parameters():
        if torch.equal(parameter, before[name]):
            raise AssertionError(f"after {STEPS} steps {name} is what it was")


def the_rate_is_read_at_each_step(optimizer: Optimizer) -> None:
    """A schedule sets `lr` of every group between steps: at 0 nothing moves."""
    model = _model()
    stepper = optimizer.build(_groups(model))
    _step(model, stepper, 0)
    before = [p.detach().clone() for p in model.parameters()]
    for group in stepper.param_groups:
        if "lr" not in group:
            raise AssertionError("a parameter group has no lr")
        group["lr"] = 0.0
    _step(model, stepper, 1)
    if not all(map(torch.equal, before, model.parameters())):
        raise AssertionError("with the rate of every group set to 0, parameters still move")


def a_resumed_training_is_the_undisturbed_one(optimizer: Optimizer) -> None:
    """State by parameter, copied into a fresh optimizer, goes on bit for bit; it is all tensors."""
    model = _model()
    stepper = optimizer.build(_groups(model))
    for step in range(STEPS):
        _step(model, stepper, step)
    other = _model()
    other.load_state_dict(model.state_dict())
    fresh = optimizer.build(_groups(other))
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        for key, value in stepper.state.get(mine, {}).items():
            if not isinstance(value, torch.Tensor | int | float):
                raise AssertionError(f"the state {key!r} is a {type(value).__name__}, no tensor")
            fresh.state[theirs][key] = torch.as_tensor(value).clone()
    for step in range(STEPS, 2 * STEPS):
        _step(model, stepper, step)
        _step(other, fresh, step)
    if not all(map(torch.equal, model.parameters(), other.parameters())):
        raise AssertionError(
            "a training resumed from its parameters and their state differs from the undisturbed "
            "one: something is kept elsewhere"
        )


LAWS = (
    the_loss_falls,
    every_parameter_is_stepped,
    the_rate_is_read_at_each_step,
    a_resumed_training_is_the_undisturbed_one,
)


def _model() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Linear(8, 2))


def _groups(model: Any) -> list[dict[str, Any]]:
    hidden = [model[2].weight]
    others = [p for p in model.parameters() if p is not hidden[0]]
    return [
        {"params": others, "lr": RATE, "hidden": False},
        {"params": hidden, "lr": RATE / 2, "hidden": True},
    ]


def _step(model: nn.Module, stepper: torch.optim.Optimizer, step: int) -> float:
    x = torch.randn(32, 6, generator=torch.Generator().manual_seed(step))
    loss = (model(x) - x[:, :2].sin()).square().mean()
    stepper.zero_grad(set_to_none=True)
    loss.backward()
    stepper.step()
    return float(loss.detach())
