"""The complexity stage: a model's operation counts and parameters, through fvcore."""

from __future__ import annotations

from dataclasses import asdict

import torch

from harness.models import build
from harness.models import complexity as count
from harness.plan.stages import ComplexityStage
from harness.stages.work import Outcome, Work


def run(settings: ComplexityStage, work: Work) -> Outcome:
    """Counts one architecture on the meta device: no memory, no arithmetic."""
    if settings.baseline is not None:
        counted = count(settings.baseline)
        return Outcome({**asdict(counted), "model": settings.baseline, "block": None})
    assert settings.architecture is not None
    with torch.device("meta"):
        model = build(**settings.architecture.model_dump())
    counted = count(model)
    return Outcome(
        {
            **asdict(counted),
            "name": work.place.model or counted.name,
            "model": work.place.model or counted.name,
            **settings.architecture.model_dump(),
        }
    )
