"""The columns of the records on a checkpoint: its network, its data and its training."""

from __future__ import annotations

from typing import Any

from harness.plan.cost import training_gflops
from harness.plan.keys import trajectory
from harness.plan.stages import TrainStage
from harness.stages.columns import recorded
from harness.stages.parts import Parts
from harness.stages.work import Work
from harness.store.results import ComplexityResult, EncodeResult
from harness.store.tables import MODEL

NETWORK = ("size", "patch_size", "block", "depth", "width", "heads")  # columns of the records


def columns_of(settings: TrainStage, work: Work, parts: Parts) -> dict[str, Any]:
    """The columns on the checkpoint: its network, data and training."""
    counted = work.after["complexity"].result(ComplexityResult)
    encoded = work.inputs["data"].result(EncodeResult)
    recipe = settings.recipe
    return {
        **recorded(settings, MODEL),
        **recorded(recipe, MODEL),
        "run": trajectory(work.task.settings, work.task.inputs)[0],
        "model": work.place.model,
        "family": work.place.family,
        **{name: parts.facts.get(name) for name in NETWORK},
        "input_size": parts.given.side,
        "tokens": counted.tokens,
        "params": counted.params,
        "gflops": counted.gflops,
        "gflops_paper": counted.gflops_paper,
        "data": encoded.data,
        "data_sha256": encoded.sha256,
        "image_size": encoded.image_size,
        "autoencoder": encoded.autoencoder,
        "train_gflops": training_gflops(counted.gflops, recipe.batch_size, settings.step),
        "recipe": recipe_of(settings, getattr(parts.family, "base_width", None)),
        "objective": parts.objective.name,
        "objective_settings": _own_settings(settings.objective),
    }


def recipe_of(settings: TrainStage, base_width: int | None = None) -> dict[str, Any]:
    """What may differ between two trainings and has no column of its own in the records.

    base_width: of a family whose rates are scaled by the width.
    """
    of_its_own = set(recorded(settings.recipe, MODEL))
    own = settings.recipe.model_dump(mode="json", exclude=of_its_own, exclude_unset=True)
    others: dict[str, Any] = {"flip": settings.flip, "diffusion_steps": settings.diffusion_steps}
    if settings.objective is not None:
        others = {"flip": settings.flip, "objective": settings.objective}
    if base_width is not None:
        others["base_width"] = base_width
    return {**own, **others}


def _own_settings(component: Any) -> dict[str, Any] | None:
    """The settings of a component that a key holds beside its name; None where there are none."""
    if not isinstance(component, dict):
        return None
    return {k: v for k, v in component.items() if k != "name"}
