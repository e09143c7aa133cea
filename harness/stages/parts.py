"""The components that one training is made of, as its stage's settings name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.components import Family, Input, Objective, Optimizer, Schedule, stored
from harness.components.family import of_architecture
from harness.plan.stages import TrainStage
from harness.stages.work import Work


@dataclass(frozen=True)
class Parts:
    """The components that a training run is made of."""

    family: Family
    given: Input
    objective: Objective
    optimizer: Optimizer
    schedule: Schedule
    facts: dict[str, Any]  # what records say of the network


def components_of(settings: TrainStage, work: Work) -> Parts:
    """The components that a stage's settings name. Raises BadInput for one not installed here."""
    own = work.place.own
    family, given = of_architecture(settings.architecture)
    recipe = settings.recipe.model_dump(exclude_none=True)
    return Parts(
        family.model_copy(update=own["family"]) if "family" in own else family,
        given,
        stored.read("objective", settings.model_dump(), places=own.get("objective")),
        stored.read("optimizer", recipe, places=own.get("optimizer")),
        stored.read("schedule", recipe, places=own.get("schedule")),
        work.place.facts or family.facts(),
    )
