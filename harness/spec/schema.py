"""The study's schema: every setting with its type, unit, default and meaning.

A field marked `NotInKey` says where or how fast work is done, never what comes out, so it is left
out of the keys (see harness.plan.keys). Everything else is in them. A field marked `Choice` names a
component; what it may be, and its settings, are the registry's (harness.components).

Each subject has a module of its own: images, recipe, evaluating, reporting, dispatching.
"""

from typing import Annotated, Any

from pydantic import Field, field_validator

from harness.spec.base import Choice, Component, Count, Name, NotInKey, Settings
from harness.spec.dispatching import STAGE_KINDS, DispatchSettings, FailureClass, SlurmSettings
from harness.spec.evaluating import EvaluationSettings, GuidanceSettings, ReferenceSettings
from harness.spec.images import AutoencoderSettings, DataSettings
from harness.spec.recipe import DiffusionSettings, SnapshotSettings, TrainSettings
from harness.spec.reporting import ClaimsSettings, GridSettings, ReportSettings

__all__ = [
    "STAGE_KINDS",
    "AutoencoderSettings",
    "ClaimsSettings",
    "DataSettings",
    "DiffusionSettings",
    "DispatchSettings",
    "EvaluationSettings",
    "FailureClass",
    "GridSettings",
    "GuidanceSettings",
    "MatrixSettings",
    "NotInKey",
    "ReferenceSettings",
    "ReportSettings",
    "Settings",
    "SlurmSettings",
    "SnapshotSettings",
    "StudySettings",
    "TrainSettings",
]


class MatrixSettings(Settings):
    """The runs: the product of the axes, plus `include`, minus `exclude`."""

    axes: dict[str, tuple[Any, ...] | None] = Field(default={})
    "Axes: a dotted field (model.size) and the values that it takes; null drops an axis."

    include: tuple[dict[str, Any], ...] = ()
    "Further points, given in full or in part; their other fields are the study's own."

    exclude: tuple[dict[str, Any], ...] = ()
    "Points that agree with all fields given here are removed."

    @field_validator("axes")
    @classmethod
    def _values(cls, value: dict[str, tuple[Any, ...] | None]) -> dict[str, tuple[Any, ...]]:
        for axis, values in value.items():
            if values == ():
                raise ValueError(f"axis {axis!r} is empty: give at least one value")
        return {axis: values for axis, values in value.items() if values is not None}


class StudySettings(Settings):
    """A whole study after its profile and overrides are merged in."""

    study: Name
    "The study's name."

    requires: str | None = None
    "Versions of the harness that can read this study, for example harness>=0.2; null: any."

    title: str = ""
    "Title of the report; where it is empty, the study's name."

    about: str = ""
    "The question of the study, a paragraph of the report."

    profile: Name = "laptop"
    "The profile that is used when none is named."

    components: tuple[str, ...] = ()
    "Python files with components of the study's own, relative to the study, below its folder."

    seed: Count = 0
    "Seed of initialisation, order and noise in training."

    data: DataSettings
    "The images."

    autoencoder: AutoencoderSettings = AutoencoderSettings.untouched()
    "The autoencoder between images and the model's inputs."

    objective: Annotated[Component, Choice("objective")] = "ddpm"
    "The training objective: ddpm (the paper), flow, or a component of your own."

    diffusion: DiffusionSettings = DiffusionSettings.untouched()
    "Steps of the DDPM objective."

    model: dict[str, Any] = Field(default={})
    "The network: `family` and that family's settings, or `name`, or an imported `checkpoint`."

    train: TrainSettings | None = None
    "The recipe; null: a study of complexity alone."

    reference: ReferenceSettings | None = None
    "The real images that samples are compared with."

    evaluations: dict[Name, EvaluationSettings | None] = Field(default={})
    "Measurements by name; null removes one of the base study."

    matrix: MatrixSettings = MatrixSettings.untouched()
    "The runs."

    baselines: tuple[str, ...] = ()
    "U-Nets counted beside the runs (Table 5)."

    claims: ClaimsSettings = ClaimsSettings.untouched()
    "Claims that are decided; those added after the first run are marked in the report."

    report: ReportSettings = ReportSettings.untouched()
    "The report."

    dispatch: DispatchSettings = DispatchSettings.untouched()
    "Where stages run. In no key."

    profiles: dict[Name, dict[str, Any] | None] = Field(default={})
    "Named overlays that set scale and place."

    @property
    def references(self) -> dict[str, ReferenceSettings]:
        """Each reference, by the dotted field that gives it."""
        found = {"reference": self.reference}
        for name, evaluation in self.evaluations.items():
            if evaluation is not None:
                found[f"evaluations.{name}.reference"] = evaluation.reference
        return {field: each for field, each in found.items() if each is not None}
