"""The components of a training, from its stage's settings alone."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import BadInput
from harness.plan.stages import TrainStage
from harness.stages.parts import components_of


def at(task: Any) -> Any:
    return SimpleNamespace(place=task.place)


def test_they_are_what_the_settings_name(prepared: Any) -> None:
    task = prepared.task("train")
    settings = TrainStage.model_validate(json.loads(task.settings))
    parts = components_of(settings, at(task))
    named = (parts.objective.name, parts.optimizer.name, parts.schedule.name)
    assert named == ("ddpm", "adamw", "constant")
    assert parts.given.side == 8 and parts.family.patch_size == 4  # type: ignore[attr-defined]
    assert parts.facts["width"] == 16


def test_one_that_is_not_installed_here_is_named(prepared: Any) -> None:
    task = prepared.task("train")
    settings = TrainStage.model_validate(
        {**json.loads(task.settings), "objective": {"name": "nobodys"}}
    )
    with pytest.raises(BadInput, match="nobodys"):
        components_of(settings, at(task))
