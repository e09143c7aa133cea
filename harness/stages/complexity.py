"""The complexity stage: a model's operation counts and parameters, through fvcore."""

from __future__ import annotations

from dataclasses import asdict

from harness.components.family import of_architecture
from harness.models import complexity as count
from harness.models.counting import count_family
from harness.plan.stages import ComplexityStage
from harness.stages.work import Outcome, Work


def run(settings: ComplexityStage, work: Work) -> Outcome:
    """Counts one architecture on the meta device: no memory, no arithmetic."""
    if settings.baseline is not None:
        counted = count(settings.baseline)
        return Outcome({**asdict(counted), "model": settings.baseline, "block": None})
    assert settings.architecture is not None
    family, given = of_architecture(settings.architecture)
    counted = count_family(family, given)
    name = work.place.model or counted.name
    return Outcome({**asdict(counted), "name": name, "model": name, **settings.architecture})
