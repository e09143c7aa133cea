"""The settings of each stage kind: what a stage is given besides its inputs.

The planner writes them as canonical JSON; the stage that runs reads them back through these
classes, so a stage never sees a setting its key does not contain. What it needs besides (paths,
batch per device) comes in a `Place`, which is in no key.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict

from harness.spec.schema import Settings

Content = str | dict[str, Any]  # a component as a key names it


class StageSettings(Settings):
    """Read from JSON, where a tuple is a list."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Images(StageSettings):
    """The identity of a set of images, whatever machine they lie on."""

    name: str
    source: Content
    fingerprint: str | None
    image_size: int
    channels: int
    num_classes: int
    seed: int
    train_images: int | None = None
    held_out: float | str | None = None  # a share of the images, or the name of a folder of others
    reference_held_out: bool = False  # the reference is made of what is held out


class KeyedStage(StageSettings):
    """The settings of a whole stage."""

    components: dict[str, int] | None = None  # versions of components, where the key names them


class EncodeStage(KeyedStage):
    """Images to the model's inputs, on disk."""

    data: Images
    autoencoder: Content
    autoencoder_sha256: str | None


class ReferenceStage(KeyedStage):
    """The feature extractor and the real images' statistics."""

    data: Images
    extractor: Content
    extractor_sha256: str | None
    extractor_images: int
    extractor_steps: int
    images: int | None
    recall_images: int
    floor_images: int
    statistics_sha256: str | None
    seed: int
    statistics: str | None = None  # the file's name, where there is no checksum; None: ADM's
    from_images: bool = False  # of the whole set of images, which also ADM's statistics are of
    extractor_weights: str | None = None  # the file's name, where there is no checksum
    gray: bool = False  # colours are brought to gray, as those that are trained on


class ComplexityStage(KeyedStage):
    """Operation counts of one architecture, or of a named baseline network."""

    architecture: dict[str, Any] | None = None  # as a family writes it
    baseline: str | None = None


class Snapshots(StageSettings):
    """Averages by relative length, kept every so many steps (harness.models.ema)."""

    every: int
    lengths: tuple[float, ...]


class Recipe(StageSettings):
    """How a model is trained, without how long.

    What has no default is named as in the study's `train`, and every key has it.
    """

    batch_size: int
    learning_rate: float
    ema: float
    label_dropout: float
    grad_clip: float | None
    precision: Literal["float32", "bf16"]
    tf32: bool
    weight_decay: float | None = None  # AdamW's, which keys have always held here
    betas: tuple[float, float] | None = None
    optimizer: Content | None = None  # any other
    schedule: Content | None = None  # None: a constant rate
    horizon: int | None = None  # of training, where the schedule depends on it
    more_ema: tuple[float, ...] | None = None  # decays kept beside `ema`, descending
    ema_snapshots: Snapshots | None = None


class TrainStage(KeyedStage):
    """A model trained to `step`. The path there (which milestones) does not matter to the key."""

    architecture: dict[str, Any]  # as a family writes it
    recipe: Recipe
    flip: bool
    seed: int
    step: int
    diffusion_steps: int | None = None  # the DDPM objective's, which keys have always held here
    objective: Content | None = None  # any other


class SampleStage(KeyedStage):
    """Images drawn from a checkpoint's EMA weights."""

    sampler: Content
    sampling_steps: int
    guidance_scale: float
    guidance_channels: int | None  # None: all, or no guidance
    samples: int
    seed: int
    autoencoder: Content
    autoencoder_sha256: str | None
    decoder: str
    precision: Literal["float32", "bf16"] = "float32"
    tf32: bool = False
    images: Literal["npz", "folder", "none"] = "npz"
    guidance_interval: tuple[int | float, int | float] | None = None
    eta: float | None = None  # DDIM's, which keys have always held here
    clip: bool = False
    ema: float | None = None  # one of the checkpoint's further decays; None: its first
    ema_length: float | None = None  # of an average made of its snapshots
    labels: Literal["data"] | None = None  # in the training images' proportions; None: all alike


class EvaluateStage(KeyedStage):
    """Metrics of one set of samples against one reference."""

    metrics: tuple[Content, ...]
    k: int
    split_size: int
    subsets: int

    def same_metric(self, other: "EvaluateStage", metric: Content) -> bool:
        """Does the other measure this metric with the same settings, by the same version of it?"""
        name = metric if isinstance(metric, str) else metric["name"]
        at = f"metric:{name}"
        ours, theirs = (self.components or {}).get(at, 1), (other.components or {}).get(at, 1)
        return metric in other.metrics and ours == theirs


class FloorStage(KeyedStage):
    """Metrics of held-out real images against one reference."""

    split: Literal["floor"]  # the part of the data
    images: int
    metrics: tuple[Content, ...]
    k: int
    split_size: int
    subsets: int
    autoencoder: Content | None = None  # through which they go first; None: they stay as they are
    autoencoder_sha256: str | None = None
    decoder: str | None = None


class CeilingStage(KeyedStage):
    """Metrics of decoded noise against one reference."""

    images: int
    seed: int
    autoencoder: Content
    autoencoder_sha256: str | None
    decoder: str
    metrics: tuple[Content, ...]
    k: int
    split_size: int
    subsets: int


class SubsetStage(EvaluateStage):
    """Metrics of the first samples of a set against one reference: as many as its floor has."""

    images: int


STAGE_SETTINGS: dict[str, type[StageSettings]] = {
    "reference": ReferenceStage,
    "encode": EncodeStage,
    "complexity": ComplexityStage,
    "train": TrainStage,
    "sample": SampleStage,
    "floor": FloorStage,
    "ceiling": CeilingStage,
    "evaluate": EvaluateStage,
    "subset": SubsetStage,
}


# Roles of an earlier evaluation of the same samples that lacked some metric, in an evaluate stage's
# `after`. Its numbers are taken over; what is new is measured of the features that it kept, or of
# the samples again.
WITH_FEATURES = "features"
NUMBERS_ALONE = "numbers"

# Roles whose readers need what others can do without (harness.store.artifacts.SPARE).
WITH_SPARE = (WITH_FEATURES, "previous")

# Of what kind a stage is that another one reads, by its role there.
KIND_OF_ROLE = {
    "data": "encode",
    "checkpoint": "train",
    "samples": "sample",
    "reference": "reference",
    "complexity": "complexity",
    "previous": "train",
    WITH_FEATURES: "evaluate",
    NUMBERS_ALONE: "evaluate",
}


def opened(inputs: Mapping[str, str], after: Mapping[str, str]) -> Mapping[str, str]:
    """The inputs that a stage opens, by role: no samples whose features were kept."""
    if WITH_FEATURES not in after:
        return inputs
    return {role: key for role, key in inputs.items() if role != "samples"}


@dataclass(frozen=True)
class Place:
    """Where and how fast: everything a stage may use that is in no key."""

    device: str = "auto"
    threads: int | None = None
    data_path: str | None = None
    held_out_path: str | None = None  # a folder of images that are not trained on
    images_expected: int | None = None  # of a data set read from files
    train_images: int | None = None  # of one that is made
    max_corrupt: int = 0
    autoencoder_weights: str | None = None
    extractor_weights: str | None = None
    statistics: str | None = None
    batch_per_device: int | None = None
    batch_size: int = 125  # sampling and feature extraction, images per forward pass
    compile: bool = False
    checkpointing: bool = False
    log_every: int = 100
    checkpoint_minutes: float = 10.0
    checkpoint_every: int | None = None
    keep_checkpoints: int = 2
    fsdp: bool = False
    trackers: tuple[dict[str, Any], ...] = ()  # by name, with their settings
    study: str | None = None  # its name, and that of the evaluation, for trackers
    evaluation: str | None = None
    rendezvous_minutes: float = 10.0
    exchange_minutes: float = 15.0
    model: str | None = None  # its label, for records
    family: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # what records say of the network
    own: dict[str, dict[str, Any]] = field(default_factory=dict)  # components' settings in no key
    components: tuple[dict[str, str], ...] = ()  # the study's own files, by name and SHA-256


@dataclass(frozen=True)
class Task:
    """All that an executor needs to do one stage, as JSON."""

    kind: str
    key: str
    settings: str
    inputs: dict[str, str]
    after: dict[str, str]
    label: str
    gflops: float | None
    place: Place

    def to_json(self) -> str:
        """The task as text, for a worker or a job."""
        return json.dumps({**self.__dict__, "place": self.place.__dict__})

    @staticmethod
    def from_json(text: str) -> "Task":
        """The task of a text that `to_json` made."""
        data: dict[str, Any] = json.loads(text)
        place = data["place"]
        for name in ("components", "trackers"):
            place[name] = tuple(place.get(name, ()))
        return Task(**{**data, "place": Place(**place)})
