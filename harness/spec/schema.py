"""The study's schema: every setting with its type, unit, default and meaning.

A field marked `NotInKey` says where or how fast work is done, never what comes out, so it is left
out of the keys (see harness.plan.keys). Everything else is in them.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from harness.models import zoo
from harness.spec.base import (
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
    "SECTIONS",
    "STAGE_KINDS",
    "AutoencoderSettings",
    "DataSettings",
    "DiffusionSettings",
    "DispatchSettings",
    "EvaluationSettings",
    "FailureClass",
    "GuidanceSettings",
    "MatrixSettings",
    "ModelSettings",
    "NotInKey",
    "ReferenceSettings",
    "ReportSettings",
    "Settings",
    "SlurmSettings",
    "StudySettings",
    "TrainSettings",
]


EMBEDDED = ("glyphs", "digits")


class DataSettings(Settings):
    """The images. `glyphs` and `digits` are embedded; any other name needs a source and a path."""

    name: Name = "glyphs"  # the data's identity; also what two results folders share it by
    source: Literal["embedded", "image-folder", "webdataset"] = "embedded"
    path: Annotated[str | None, NotInKey()] = None  # where it lies on this machine
    fingerprint: str | None = None  # SHA-256 of the file list; checked by `encode` when given
    image_size: Positive = 8  # pixels per side
    channels: Literal[1, 3] = 3
    num_classes: Positive = 10
    # Embedded sets: how many to make. Others are read whole: how many there must be, if given.
    train_images: Positive | None = None
    flip: bool = False  # random horizontal flips
    seed: Count = 0  # of the embedded sets' rendering
    max_corrupt: Annotated[Count, NotInKey()] = 0  # unreadable images skipped before failing

    @model_validator(mode="after")
    def _source_fits_name(self) -> DataSettings:
        if (self.name in EMBEDDED) != (self.source == "embedded"):
            raise ValueError(
                f"data.name {self.name!r} does not go with source {self.source!r}: "
                f"the embedded sets are {', '.join(EMBEDDED)}; others are read from files"
            )
        if self.source == "embedded" and self.train_images is None:
            raise ValueError("data.train_images must be given for an embedded set")
        return self


class AutoencoderSettings(Settings):
    """What turns images into the model's inputs and back."""

    name: Literal["identity", "sd-vae"] = "identity"
    decoder: Literal["original", "ft-mse", "ft-ema"] = "original"  # Table 4; used when decoding
    weights: Annotated[str | None, NotInKey()] = None  # local folder, else the hub
    # Of the encoder's parameters, the same for all three decoders; not the weights file's own.
    # `encode` records it (autoencoder_sha256) and autoencoders.load gives it; checked when given.
    sha256: str | None = None


class ModelSettings(Settings):
    """A model of the zoo, or a custom one by depth, width and heads."""

    name: str | None = None  # "DiT-XL/2": short for family, size and patch_size
    checkpoint: Name | None = None  # an imported one (`harness import`): sampled, never trained
    family: Name = "DiT"
    size: str | None = None
    patch_size: Positive | None = None
    depth: Positive | None = None  # blocks; with width and heads: a custom size
    width: Positive | None = None  # hidden size
    heads: Positive | None = None
    block: Literal["adaln-zero", "adaln", "cross-attention", "in-context"] = "adaln-zero"

    @model_validator(mode="before")
    @classmethod
    def _name_is_shorthand(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            return data
        family, size, patch = zoo.parse(data["name"])
        for field, value in (("family", family), ("size", size), ("patch_size", patch)):
            if data.get(field, value) != value:
                raise ValueError(
                    f"model.name {data['name']!r} says {field} {value!r}, "
                    f"model.{field} says {data[field]!r}: give one of them"
                )
        return {**data, "family": family, "size": size, "patch_size": patch, "name": None}

    @model_validator(mode="after")
    def _in_the_zoo(self) -> ModelSettings:
        custom = (self.depth, self.width, self.heads)
        if self.checkpoint is not None:
            if any(v is not None for v in (self.size, self.patch_size, *custom)):
                raise ValueError(
                    f"model.checkpoint {self.checkpoint!r} brings its own size and patch size: "
                    "leave out the other fields of model"
                )
            return self
        if self.patch_size is None:
            raise ValueError("model.patch_size is missing (the paper's are 8, 4 and 2)")
        if all(v is None for v in custom):
            if self.family not in zoo.FAMILIES:
                raise ValueError(
                    f"unknown model.family {self.family!r}; families: {', '.join(zoo.FAMILIES)}"
                )
            sizes = zoo.FAMILIES[self.family].sizes
            if self.size not in sizes:
                raise ValueError(
                    f"unknown model.size {self.size!r} of {self.family}; sizes: {', '.join(sizes)}"
                )
        elif any(v is None for v in custom):
            raise ValueError("a custom model needs depth, width and heads, all three")
        elif self.size is not None:
            raise ValueError("give model.size, or depth, width and heads, not both")
        elif self.width % self.heads:  # type: ignore[operator]
            raise ValueError(f"model.width {self.width} is not divisible by heads {self.heads}")
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """(depth, width, heads)."""
        if self.depth is not None:
            return self.depth, self.width, self.heads  # type: ignore[return-value]
        size = zoo.FAMILIES[self.family].sizes[self.size]  # type: ignore[index]
        return size.depth, size.width, size.heads

    @property
    def label(self) -> str:
        """The model's name as the reports print it: "DiT-XL/2", or "DiT-12x384x6/2" if custom."""
        if self.checkpoint is not None:
            return self.checkpoint
        size = self.size if self.size is not None else "x".join(map(str, self.shape))
        return f"{self.family}-{size}/{self.patch_size}"


class DiffusionSettings(Settings):
    """The forward process: linear betas 1e-4 to 2e-2 (the paper keeps ADM's)."""

    steps: Positive = 1000

    @field_validator("steps")
    @classmethod
    def _betas_below_one(cls, value: int) -> int:
        if value < 21:  # harness.diffusion.schedule.LEAST_STEPS, without importing numpy
            raise ValueError(
                f"diffusion.steps {value}: give at least 21, as with fewer the last of the "
                "schedule's betas (20 / steps) are not below 1"
            )
        return value


class TrainSettings(Settings):
    """The recipe. Defaults are the paper's (section 4, Experimental setup)."""

    steps: Positive = 400_000
    milestones: tuple[Positive, ...] = ()  # steps whose EMA weights are kept for evaluation
    batch_size: Positive = 256  # global, over all devices
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4  # constant
    weight_decay: NotNegative = 0.0
    betas: tuple[Decay, Decay] = (0.9, 0.999)  # AdamW's
    ema: Decay = 0.9999  # of the exponential moving average; at 1 it would never be trained
    label_dropout: Fraction = 0.1  # share of labels replaced by the null label
    grad_clip: Annotated[float, Field(gt=0)] | None = None  # global norm
    precision: Literal["float32", "bf16"] = "float32"  # bf16: autocast, float32 weights
    tf32: bool = False  # float32 products in TF32 on NVIDIA GPUs
    compile: Annotated[bool, NotInKey()] = False
    checkpointing: Annotated[bool, NotInKey()] = False  # recompute activations to save memory
    batch_per_device: Annotated[Positive | None, NotInKey()] = None  # None: as large as fits
    log_every: Annotated[Positive, NotInKey()] = 100  # steps
    checkpoint_minutes: Annotated[float, Field(gt=0), NotInKey()] = 10.0
    checkpoint_every: Annotated[Positive | None, NotInKey()] = None  # steps, besides the minutes
    keep_checkpoints: Annotated[Positive, NotInKey()] = 2  # newest ones, besides all milestones
    fsdp: Annotated[bool, NotInKey()] = False  # shard the model over its processes (FSDP2)
    tensorboard: Annotated[bool, NotInKey()] = False  # events in results/tensorboard/KEY

    @field_validator("milestones")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(b <= a for a, b in itertools.pairwise(value)):
            raise ValueError("milestones must ascend without repeats")
        return value

    @model_validator(mode="after")
    def _milestones_within(self) -> TrainSettings:
        if self.milestones and self.milestones[-1] > self.steps:
            raise ValueError(
                f"milestone {self.milestones[-1]} lies beyond train.steps {self.steps}"
            )
        return self


class ReferenceSettings(Settings):
    """What samples are compared with, and through which features."""

    extractor: Name = "glyphs-cnn"  # inception-2015, or an embedded set's classifier
    extractor_weights: Annotated[str | None, NotInKey()] = None  # local file
    extractor_sha256: str | None = None  # checked when given
    extractor_images: Positive = 6000  # embedded classifiers are trained on the spot on these
    extractor_steps: Positive = 1200
    images: Positive | None = None  # reference images; None: the whole training set
    recall_images: Positive = 10_000  # of them, for precision and recall
    floor_images: Count = 0  # other real images, measured against the reference
    # ADM's npz instead of images; the key has its checksum, if given, else the file's name
    statistics: Annotated[str | None, NotInKey()] = None
    statistics_sha256: str | None = None
    seed: Count = 0

    @model_validator(mode="after")
    def _a_checksum_is_of_something(self) -> ReferenceSettings:
        if self.statistics_sha256 is not None and self.statistics is None:
            raise ValueError(
                "reference.statistics_sha256 is the checksum of a file: give reference.statistics, "
                "or leave it out to make the reference of the images"
            )
        return self


class GuidanceSettings(Settings):
    """Classifier-free guidance. Scale 1 is none (the paper's s; its appendix guides 3 channels)."""

    scale: NotNegative = 1.0
    channels: Positive | None = 3  # leading noise channels guided; None: all of them
    interval: tuple[Count, Count] | None = None  # timesteps guided, both included; None: all

    @field_validator("interval")
    @classmethod
    def _ascends(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError(
                f"the interval {list(value)} is empty: give [low, high], timestep 0 is the cleanest"
            )
        return value


Metric = Literal[
    "fd", "sfd", "is", "precision", "recall", "density", "coverage", "kid", "fd_infinity"
]


class EvaluationSettings(Settings):
    """One kind of measurement, made of every run: samples drawn from checkpoints, and metrics."""

    at: Literal["end", "milestones"] | tuple[Positive, ...] = "end"  # training steps
    sampler: Literal["ancestral", "ddim"] = "ancestral"
    sampling_steps: Positive | tuple[Positive, ...] = 250
    eta: Fraction = 0.0  # DDIM's; 1 is ancestral
    clip: bool = False  # clamp the predicted x_0 to [-1, 1] at each step; the paper does not
    guidance: GuidanceSettings | tuple[GuidanceSettings, ...] = GuidanceSettings()
    samples: Positive = 50_000
    seed: Count = 0  # noise and label of sample i are a function of (seed, i)
    decoder: Literal["original", "ft-mse", "ft-ema"] | None = None  # None: the autoencoder's own
    metrics: tuple[Metric, ...] = ("fd", "sfd", "is", "precision", "recall")
    k: Positive = 3  # neighbours for precision and recall
    split_size: Positive = 5000  # Inception Score chunks
    subsets: Count = 10  # random halves of the samples behind the spread of Frechet distances
    precision: Literal["float32", "bf16"] = "float32"  # of the sampler's forward passes
    tf32: bool = False  # float32 products in TF32 on NVIDIA GPUs
    keep_images: Literal["npz", "folder", "none"] = "npz"  # none: features alone, and a few images
    batch_size: Annotated[Positive, NotInKey()] = 125  # images per forward pass

    @field_validator("sampling_steps", "at", "guidance", "metrics")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if value == ():
            raise ValueError("the list is empty: give at least one value")
        return value


class MatrixSettings(Settings):
    """The runs: the product of the axes, plus `include`, minus `exclude`.

    Axes are dotted fields ("model.size"); `include` adds points given in full or in part (other
    fields as in the study); `exclude` removes the points that agree with all fields it gives.
    """

    axes: dict[str, tuple[Any, ...]] = Field(default={})
    include: tuple[dict[str, Any], ...] = ()
    exclude: tuple[dict[str, Any], ...] = ()

    @field_validator("axes")
    @classmethod
    def _values(cls, value: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        for axis, values in value.items():
            if not values:
                raise ValueError(f"axis {axis!r} is empty: give at least one value")
        return value


Section = Literal[
    "headline",
    "gflops",
    "training",
    "training-compute",
    "sampling-compute",
    "samples",
    "models",
    "blocks",
    "complexity",
    "guidance",
    "decoders",
    "comparison",
    "provenance",
]
SECTIONS: tuple[str, ...] = get_args(Section)


class ReportSettings(Settings):
    """The PDF: its sections in order. Not part of any key."""

    sections: tuple[Section, ...] = ("headline", "gflops", "models", "provenance")
    samples_shown: Positive = 8  # per model in the grid


class StudySettings(Settings):
    """A whole study after its profile and overrides are merged in."""

    study: Name
    title: str
    about: str = ""
    profile: Name = "laptop"  # the profile used when none is asked for
    seed: Count = 0  # of initialisation, order and noise in training
    data: DataSettings
    autoencoder: AutoencoderSettings = AutoencoderSettings()
    diffusion: DiffusionSettings = DiffusionSettings()
    # checked run by run, once the matrix has filled it in
    model: dict[str, Any] = Field(default={})
    train: TrainSettings | None = None  # None: a study of complexity alone
    reference: ReferenceSettings | None = None
    # null removes a base evaluation
    evaluations: dict[Name, EvaluationSettings | None] = Field(default={})
    matrix: MatrixSettings = MatrixSettings()
    baselines: tuple[str, ...] = ()  # U-Nets counted beside the runs (Table 5)
    report: ReportSettings = ReportSettings()
    dispatch: DispatchSettings = DispatchSettings()
    profiles: dict[Name, dict[str, Any] | None] = Field(default={})
