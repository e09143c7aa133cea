"""The recipe of training: steps, optimizer, averages, and the objective's own steps."""

import itertools
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from harness.spec.base import (
    Choice,
    Component,
    Decay,
    Fraction,
    Minutes,
    NotInKey,
    NotNegative,
    Positive,
    Settings,
)


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

    learning_rate: Annotated[float, Field(ge=1e-12, le=1e3)] = 1e-4
    "The optimizer's rate; `schedule` multiplies it."

    schedule: Annotated[Component, Choice("schedule")] = "constant"
    "The learning rate over the steps, as a factor; constant in the paper."

    optimizer: Annotated[Component, Choice("optimizer")] = "adamw"
    "The optimizer; AdamW in the paper."

    weight_decay: Annotated[NotNegative, Field(le=1e6)] = 0.0
    "The optimizer's weight decay, where it has one."

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    "The optimizer's decays of the gradient's and its square's averages, where it has them."

    ema: Decay | tuple[Decay, ...] = 0.9999
    "Decay of the weights' exponential moving average; of a list the first is sampled from."

    ema_snapshots: SnapshotSettings | None = None
    "Keep snapshots, from which averages of any length can be made after training; null: none."

    label_dropout: Fraction = 0.1
    "Share of labels replaced by the null label, for guidance."

    grad_clip: Annotated[float, Field(ge=1e-12, le=1e12)] | None = None
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

    checkpoint_minutes: Annotated[Minutes, NotInKey()] = 10.0
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
