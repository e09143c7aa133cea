"""The complexity stage: a model's operation counts and parameters, through fvcore."""

from __future__ import annotations

from typing import Any

from harness.components.family import of_architecture
from harness.errors import BadInput
from harness.models import complexity as count
from harness.models.counting import Complexity, count_family
from harness.plan.stages import ComplexityStage
from harness.stages.work import Outcome, Work
from harness.store.results import ComplexityResult


def run(settings: ComplexityStage, work: Work) -> Outcome:
    """Counts one architecture on the meta device: no memory, no arithmetic."""
    if settings.baseline is not None:
        return Outcome(_result(count(settings.baseline), settings.baseline))
    assert settings.architecture is not None
    family, given = of_architecture(settings.architecture)
    counted = count_family(family, given)
    stated = family.gflops(given)
    if stated is not None and abs(stated - counted.gflops) > 1e-6 * counted.gflops:
        raise BadInput(
            f"the family {family.name!r} breaks its contract: gflops gave {stated:.6g} for "
            f"{family.label}, and its network is counted at {counted.gflops:.6g}: plans and "
            "budgets would be wrong; mend the formula, or return None to have it counted"
        )
    name = work.place.model or counted.name
    return Outcome(_result(counted, name, settings.architecture))


def _result(
    counted: Complexity, model: str, architecture: dict[str, Any] | None = None
) -> ComplexityResult:
    return ComplexityResult(
        model,
        gflops=counted.gflops,
        gflops_paper=counted.gflops_paper,
        params=counted.params,
        activations=counted.activations,
        tokens=counted.tokens,
        architecture=architecture,
    )
