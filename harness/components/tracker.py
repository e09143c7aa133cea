"""Trackers: `dispatch.trackers` in a study. Where people watch their trainings.

A tracker is told losses and rates while a training goes on, and metrics and a few samples when an
evaluation is committed. It is in no key and makes no number: the records are the harness's own
(harness.load_results). It can never fail a run: an error of a tracker is printed to the stage's log
once, and that stage tells it nothing more. Nor can it hold one up: a stage opens, tells and closes
each of its trackers from one thread, with a time limit (harness.stages.tracking).
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from harness.components.base import Component

if TYPE_CHECKING:
    import numpy as np

BUILT_IN = {
    "tensorboard": "harness.trackers.tensorboard:TensorBoard",
    "wandb": "harness.trackers.wandb:WeightsAndBiases",
    "trackio": "harness.trackers.trackio:Trackio",
    "mlflow": "harness.trackers.mlflow:MLflow",
}


@dataclass(frozen=True)
class Tracked:
    """One training run, as trackers name it. Its stages tell of it one after another, or at once,
    each from a process of its own."""

    study: str
    run: str  # 64 hexadecimal digits: the same for all stages of one training run
    label: str  # for people: the model and the seed
    settings: Mapping[str, Any]  # of the stage that tells, as JSON values
    results: Path  # the results folder; a tracker without a network writes below it


class Tracking(Protocol):
    """An open tracker."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Finite numbers by name, at a training step. Names as `train/loss`: letters, digits,
        spaces and `_-./`."""

    def images(self, step: int, name: str, images: np.ndarray) -> None:
        """A strip of samples from the same noise at every step, uint8, (count, height, width, C),
        C 1 or 3."""

    def close(self) -> None:
        """Write what is not written yet."""


def open_to_the_group(folder: Path) -> None:
    """Give a tracker's databases in `folder` the mode of other new files there, which SQLite does
    not: a colleague whose group may write would find them read-only."""
    for database in folder.glob("*.db"):
        with contextlib.suppress(OSError):  # somebody else's
            database.chmod(folder.stat().st_mode & 0o666)


class Tracker(Component):
    """Something that shows runs to people. Works without a network, unless a study says else."""

    kind: ClassVar[str] = "tracker"
    package: ClassVar[str | None] = None  # what must be installed, as pip names it

    @abstractmethod
    def open(self, tracked: Tracked) -> Tracking:
        """Begin to tell of a run, or go on where another stage of it left off."""
