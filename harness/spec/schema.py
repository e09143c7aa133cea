"""The study's schema: every setting with its type, unit, default and meaning.

A field marked `NotInKey` says where or how fast work is done, never what comes out, so it is left
out of the keys (see harness.plan.keys). Everything else is in them. A field marked `Choice` names a
component; what it may be, and its settings, are the registry's (harness.components).
"""

import itertools
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from harness.spec.base import (
    Choice,
    Count,
    Decay,
    Fraction,
    Name,
    NotInKey,
    NotNegative,
    Positive,
    Settings,
)
from harness.spec.dispatching import STAGE_KINDS, DispatchSettings, FailureClass, SlurmSettings

__all__ = [
    "STAGE_KINDS",
    "AutoencoderSettings",
    "DataSettings",
    "DiffusionSettings",
    "DispatchSettings",
    "EvaluationSettings",
    "FailureClass",
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

Component = str | dict[str, Any]  # as a study writes it: a name, or {name: ..., its settings}


class DataSettings(Settings):
    """The images. `glyphs` and `digits` are embedded; any other name needs a source and a path."""

    name: Name = "glyphs"
    "The data's identity: keys hold it, and two results folders share the data by it."

    source: Annotated[Component, Choice("source")] = "embedded"
    "Where the images come from: a data source, for example image-folder."

    path: Annotated[str | None, NotInKey()] = None
    "Where the images lie on this machine. In no key."

    fingerprint: str | None = None
    "SHA-256 of the list of images, as `encode` records it; checked when given."

    image_size: Positive = 8
    "Pixels per side; images are brought to it by ADM's centre crop."

    channels: Literal[1, 3] = 3
    "1 (gray) or 3 (RGB)."

    num_classes: Count = 10
    "Labels are 0 to num_classes - 1; one more stands for no class in guidance. 0: unconditional."

    train_images: Positive | None = None
    "Number of training images: an embedded set is made of so many, others must have so many."

    flip: bool = False
    "Random horizontal flips in training."

    held_out: float | str | None = None
    "Images not trained on, for floors: a share of them (0.1), or a folder of their own."

    seed: Count = 0
    "Seed of the embedded sets' rendering, and of the choice of images that are held out."

    max_corrupt: Annotated[Count, NotInKey()] = 0
    "Unreadable images that are skipped before the stage fails."

    @field_validator("held_out")
    @classmethod
    def _a_share(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, (int, float)) and not 0 < value <= 0.5:
            raise ValueError("must be a share above 0 and up to 0.5, or a folder's path")
        if value == "":
            raise ValueError("must be a share, or a folder's path: this one is empty")
        return value


class AutoencoderSettings(Settings):
    """The autoencoder between images and the model's inputs; its settings stand beside its name."""

    model_config = ConfigDict(extra="allow")  # the component's own, checked as its fields

    name: str = "identity"
    "The autoencoder: identity (pixels), sd-vae, diffusers, or a component of your own."

    decoder: str = "original"
    "The decoder to use, where the autoencoder has several (Table 4)."

    weights: Annotated[str | None, NotInKey()] = None
    "A folder with the weights on this machine; null: they are downloaded from the hub."

    sha256: str | None = None
    "Checksum of the encoder's parameters, as `encode` records it; checked when given."

    reconstructions: Annotated[Count, NotInKey()] = 0
    "Held-out images that are encoded, decoded and measured: a bound of every model. 0: none."


class DiffusionSettings(Settings):
    """The DDPM objective's forward process: linear betas 1e-4 to 2e-2 (the paper keeps ADM's)."""

    steps: Positive = 1000
    "Diffusion steps; the same as `objective: {name: ddpm, steps: ...}`."

    @field_validator("steps")
    @classmethod
    def _betas_below_one(cls, value: int) -> int:
        if value < 21:  # harness.diffusion.schedule.LEAST_STEPS, without importing numpy
            raise ValueError(
                f"diffusion.steps {value}: give at least 21, as with fewer the last of the "
                "schedule's betas (20 / steps) are not below 1"
            )
        return value


class SnapshotSettings(Settings):
    """Averages kept on the way, to make one of any length after training (EDM2, 2312.02696)."""

    every: Positive
    "Training steps between two of them; a further one is at each checkpoint that is evaluated."

    lengths: tuple[Annotated[float, Field(gt=0, lt=0.28)], ...] = (0.05, 0.10)
    "Lengths of the averages: each profile's standard deviation as a share of the training (EDM2)."

    @field_validator("lengths")
    @classmethod
    def _two(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) < 2 or any(b <= a for a, b in itertools.pairwise(value)):
            raise ValueError("lengths must be two or more that ascend, as [0.05, 0.1]")
        return value


class TrainSettings(Settings):
    """The recipe. Defaults are the paper's (section 4, Experimental setup)."""

    steps: Positive = 400_000
    "Training steps."

    milestones: tuple[Positive, ...] = ()
    "Steps whose EMA weights are kept for evaluation."

    batch_size: Positive = 256
    "Images in a training step, over all devices."

    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    "The optimizer's rate; `schedule` multiplies it."

    schedule: Annotated[Component, Choice("schedule")] = "constant"
    "The learning rate over the steps, as a factor; constant in the paper."

    optimizer: Annotated[Component, Choice("optimizer")] = "adamw"
    "The optimizer; AdamW in the paper."

    weight_decay: NotNegative = 0.0
    "The optimizer's weight decay, where it has one."

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    "The optimizer's decays of the gradient's and its square's averages, where it has them."

    ema: Decay | tuple[Decay, ...] = 0.9999
    "Decay of the weights' exponential moving average; of a list the first is sampled from."

    ema_snapshots: SnapshotSettings | None = None
    "Keep snapshots, from which averages of any length can be made after training; null: none."

    label_dropout: Fraction = 0.1
    "Share of labels replaced by the null label, for guidance."

    grad_clip: Annotated[float, Field(gt=0)] | None = None
    "Largest global norm of the gradient; null: not clipped, as in the paper."

    precision: Literal["float32", "bf16"] = "float32"
    "bf16: autocast over float32 weights."

    tf32: bool = False
    "float32 products in TF32 on NVIDIA GPUs."

    compile: Annotated[bool, NotInKey()] = False
    "torch.compile the network."

    checkpointing: Annotated[bool, NotInKey()] = False
    "Recompute activations in the backward pass, to save memory."

    batch_per_device: Annotated[Positive | None, NotInKey()] = None
    "Images in one pass; gradients of several passes are added up. null: as many as fit."

    log_every: Annotated[Positive, NotInKey()] = 100
    "Steps between rows of the training records."

    checkpoint_minutes: Annotated[float, Field(gt=0), NotInKey()] = 10.0
    "Minutes between the checkpoints from which a stopped training goes on."

    checkpoint_every: Annotated[Positive | None, NotInKey()] = None
    "Steps between such checkpoints, in addition to the minutes."

    keep_checkpoints: Annotated[Positive, NotInKey()] = 2
    "Newest checkpoints that are kept, besides all milestones."

    fsdp: Annotated[bool, NotInKey()] = False
    "Shard the model over its processes (FSDP2), where it does not fit one device."

    tensorboard: Annotated[bool, NotInKey()] = False
    "Write events to results/tensorboard; the same as `dispatch: {trackers: [tensorboard]}`."

    @field_validator("milestones")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(b <= a for a, b in itertools.pairwise(value)):
            raise ValueError("milestones must ascend without repeats")
        return value

    @field_validator("ema")
    @classmethod
    def _decays_once(cls, value: float | tuple[float, ...]) -> float | tuple[float, ...]:
        if isinstance(value, tuple) and (not value or len(set(value)) < len(value)):
            raise ValueError("a list of decays has one or more, none of them twice")
        return value

    @property
    def emas(self) -> tuple[float, ...]:
        """All decays that are kept; the first is what is sampled from."""
        return self.ema if isinstance(self.ema, tuple) else (self.ema,)

    @model_validator(mode="after")
    def _milestones_within(self) -> "TrainSettings":
        if self.milestones and self.milestones[-1] > self.steps:
            raise ValueError(
                f"milestone {self.milestones[-1]} lies beyond train.steps {self.steps}"
            )
        return self


class ReferenceSettings(Settings):
    """The real images that samples are compared with, and the features of both."""

    extractor: Annotated[Component, Choice("extractor")] = "glyphs-cnn"
    "The feature extractor. Only distances of inception-2015 are called FID."

    extractor_weights: Annotated[str | None, NotInKey()] = None
    "A file with the extractor's weights on this machine."

    extractor_sha256: str | None = None
    "Checksum of the extractor's weights; checked when given."

    extractor_images: Positive = 6000
    "Images that an extractor trained on the spot is trained on."

    extractor_steps: Positive = 1200
    "Steps of that extractor's training."

    images: Positive | None = None
    "Reference images; null: the whole training set."

    recall_images: Positive = 10_000
    "Reference images of which precision and recall are computed (the paper's number)."

    floor_images: Count = 0
    "Other real images; their value against the reference is the floor to expect of a model."

    held_out: Annotated[bool, NotInKey()] = False
    "Take data.held_out for the reference, not the training set; floors are then of the latter."

    statistics: Annotated[str | None, NotInKey()] = None
    "A file of statistics (ADM's npz, or what `statistics` writes), in place of images."

    statistics_sha256: str | None = None
    "Checksum of that file, checked when given; without one the file's name is in the key."

    seed: Count = 0
    "Seed of the choice of images, and of an extractor's training."

    @model_validator(mode="after")
    def _a_checksum_is_of_something(self) -> "ReferenceSettings":
        if self.statistics_sha256 is not None and self.statistics is None:
            raise ValueError(
                "reference.statistics_sha256 is the checksum of a file: give reference.statistics, "
                "or leave it out to make the reference of the images"
            )
        return self


class GuidanceSettings(Settings):
    """Classifier-free guidance. Scale 1 is none (the paper's s; its appendix guides 3 channels)."""

    scale: Annotated[NotNegative, Field(le=1e6)] = 1.0
    "The paper's s: 1 is no guidance, 1.5 the best of Table 2."

    channels: Positive | None = 3
    "Leading channels of the prediction that are guided; null: all of them."

    interval: tuple[Count | NotNegative, Count | NotNegative] | None = None
    "The objective's times that are guided, both included (DDPM: timesteps); null: all."

    @field_validator("interval")
    @classmethod
    def _ascends(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError(
                f"the interval {list(value)} is empty: give [low, high], timestep 0 is the cleanest"
            )
        return value


class EvaluationSettings(Settings):
    """One kind of measurement of every run: samples of its checkpoints, and their metrics."""

    at: Literal["end", "milestones"] | tuple[Positive, ...] = "end"
    "The checkpoints to sample from: end, milestones, or a list of training steps."

    sampler: Annotated[Component, Choice("sampler")] | None = None
    "The sampler; null: the objective's own (DDPM: ancestral, as in the paper)."

    sampling_steps: Positive | tuple[Positive, ...] = 250
    "Steps of the sampler; a list measures each."

    ema: Decay | None = None
    "The decay of train.ema whose weights are sampled from; null: the first."

    ema_length: Annotated[float, Field(gt=0, lt=0.28)] | None = None
    "Sample from an average of this length, made of train.ema_snapshots (EDM2's sigma_rel)."

    eta: Fraction = 0.0
    "The noise of DDIM: 0 is deterministic, 1 ancestral."

    clip: bool = False
    "Clamp the predicted x_0 to [-1, 1] at each step; the paper does not."

    guidance: GuidanceSettings | tuple[GuidanceSettings, ...] = GuidanceSettings.untouched()
    "Classifier-free guidance; a list measures each."

    samples: Annotated[int, Field(ge=2, le=2**63 - 1)] = 50_000
    "How many images are drawn and measured."

    seed: Count = 0
    "The seed of sampling: noise and label of sample i depend on (seed, i) alone."

    decoder: str | None = None
    "The autoencoder's decoder to use; null: autoencoder.decoder."

    metrics: tuple[Annotated[Component, Choice("metric")], ...] = (
        "fd",
        "sfd",
        "is",
        "precision",
        "recall",
    )
    "The metrics: names, or {name: kid, subset_size: 500}. The default is the paper's five."

    k: Positive = 3
    "Neighbours for precision and recall."

    split_size: Positive = 5000
    "Images in a chunk of the Inception Score."

    reference: ReferenceSettings | None = None
    "A reference of its own, for example {extractor: dinov2}: the same samples in other features."

    floor_images: Count | None = None
    "Held-out real images measured beside; null: reference.floor_images, at most `samples`."

    subsets: Count = 10
    "Random halves of the samples behind the spread of Fréchet distances; 0: no spread."

    precision: Literal["float32", "bf16"] = "float32"
    "Precision of the sampler's forward passes."

    tf32: bool = False
    "float32 products in TF32 on NVIDIA GPUs."

    keep_images: Literal["npz", "folder", "none"] = "npz"
    "The form in which samples are kept; none: their features alone, and a few images."

    batch_size: Annotated[Positive, NotInKey()] = 125
    "Images per forward pass."

    def steps_of(self, train: TrainSettings) -> tuple[int, ...]:
        """The training steps of the checkpoints of `train` that are measured."""
        if self.at == "end":
            return (train.steps,)
        return train.milestones if self.at == "milestones" else self.at

    @field_validator("sampling_steps", "at", "guidance", "metrics")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if value == ():
            raise ValueError("the list is empty: give at least one value")
        return value

    @model_validator(mode="after")
    def _one_average(self) -> "EvaluationSettings":
        if self.ema is not None and self.ema_length is not None:
            raise ValueError("give ema or ema_length, not both: samples are of one average")
        return self

    @field_validator("subsets")
    @classmethod
    def _a_spread(cls, value: int) -> int:
        if value == 1:
            raise ValueError("subsets 1: a spread needs 2 random halves at least; 0 for no spread")
        return value


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


class ClaimsSettings(Settings):
    """The claims that the study decides, fixed before it is run. In no key."""

    paper: tuple[str, ...] | None = None
    "Ids of the paper's claims and numbers that the report decides; null: all."

    sampling_pairs: tuple[tuple[str, str], ...] = ()
    "Pairs (smaller, larger) of models: is the larger ahead at equal sampling compute?"


class GridSettings(Settings):
    """An uncurated grid of samples of one class at one guidance (the paper's Figures 14 to 33)."""

    label: Count
    "The number of the class."

    guidance: float = 4.0
    "Guidance scale of the evaluation whose samples are shown."

    images: Positive = 16
    "Samples shown: the first of that class."

    model: str | None = None
    "The run's label or model; null: the one of most compute."


class ReportSettings(Settings):
    """The report: its sections in order. Not part of any key."""

    sections: tuple[Annotated[Component, Choice("section")], ...] = (
        "headline",
        "claims",
        "gflops",
        "factors",
        "training",
        "loss",
        "samples",
        "models",
        "method",
        "cost",
        "failures",
        "provenance",
        "study",
    )
    "Report sections, in order."

    samples_shown: Positive = 8
    "Samples per model in the grid."

    refresh_minutes: NotNegative = 15.0
    "Minutes after which a `run` writes the report anew; 0: at its end alone."

    grids: tuple[GridSettings, ...] = ()
    "Grids of one class each, in the section `samples`."


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
