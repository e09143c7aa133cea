"""A run of a study: one point of its matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.components.autoencoder import Autoencoder
from harness.components.family import Input
from harness.components.objective import Objective
from harness.spec.model import Model
from harness.spec.schema import AutoencoderSettings, DataSettings, TrainSettings


@dataclass(frozen=True)
class Run:
    """One point of the matrix: one model trained one way."""

    model: Model
    data: DataSettings
    autoencoder: AutoencoderSettings
    codec: Autoencoder  # the component that `autoencoder` names
    objective: Objective
    train: TrainSettings | None
    seed: int
    point: Mapping[str, Any] = field(default_factory=dict)  # the axes' values, for people
    words: tuple[str, ...] = ()  # what sets it apart from the study's others, besides the model

    @property
    def label(self) -> str:
        """For tables: the model's name, and what else the study varies ("S/2 lr 0.1, seed 1")."""
        return f"{self.model.label} {', '.join(self.words)}" if self.words else self.model.label

    def given(self) -> Input:
        """The network's input and output sizes. Raises BadInput for images that do not fit."""
        channels, side, _ = self.codec.latent_shape(self.data.image_size, self.data.channels)
        return Input(side, channels, self.data.num_classes, self.objective.out_channels(channels))
