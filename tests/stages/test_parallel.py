"""One process calls the model itself; what several do is in test_distributed.py."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from harness.components import registry
from harness.models import build
from harness.stages.distributed import World
from harness.stages.parallel import parallel, warm_up

FAMILY: Any = SimpleNamespace(shard_units=lambda module: [])
SMALL = {"depth": 1, "width": 16, "heads": 2, "patch_size": 4, "input_size": 8, "channels": 1}


def work(compiled: bool = False, **world: int) -> Any:
    place = SimpleNamespace(fsdp=False, compile=compiled)
    return SimpleNamespace(world=World(**world), device=torch.device("cpu"), place=place)


def test_alone_it_is_the_model_and_nothing_is_exchanged() -> None:
    model = torch.nn.Linear(2, 2)
    found = parallel(model, [], FAMILY, work())
    assert found.forward is model
    for last in (False, True):
        assert isinstance(found.exchange(last), contextlib.nullcontext)


def test_compiled_where_the_study_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda model: ("compiled", model))
    model = torch.nn.Linear(2, 2)
    assert parallel(model, [], FAMILY, work(compiled=True)).forward == ("compiled", model)


def test_a_warm_up_leaves_no_gradient_and_changes_nothing() -> None:
    torch.manual_seed(0)
    model = build(**SMALL, num_classes=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    objective = registry.get("objective", "ddpm")(steps=50)
    together = parallel(model, [], FAMILY, work())
    warm_up(together, objective, (2, 1, 8, 8), torch.device("cpu"))
    assert all(parameter.grad is None for parameter in model.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
