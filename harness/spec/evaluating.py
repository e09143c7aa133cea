"""How models are measured: the reference, guidance, and each evaluation."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.spec.base import (
    Choice,
    Component,
    Count,
    Decay,
    Fraction,
    NotInKey,
    NotNegative,
    Positive,
    Settings,
)
from harness.spec.recipe import TrainSettings


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

    labels: Literal["uniform", "data"] = "uniform"
    "Classes of the samples: uniform, all alike; data, in the training images' proportions."

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
