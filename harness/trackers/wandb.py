"""Weights & Biases (https://docs.wandb.ai)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.components.tracker import Tracked, Tracker, Tracking

if TYPE_CHECKING:
    import numpy as np


class WeightsAndBiases(Tracker):
    """Weights & Biases; without a network the runs lie in results/trackers/wandb to be synced."""

    name: ClassVar[str] = "wandb"
    package: ClassVar[str | None] = "wandb"

    project: str | None = None
    "The project; null: the study's name."

    entity: str | None = None
    "Whose project; null: the user's default."

    mode: Literal["offline", "online"] = "offline"
    "offline: nothing is sent; `wandb sync results/trackers/wandb/wandb/offline-*` does it later."

    def open(self, tracked: Tracked) -> Tracking:
        import wandb

        folder = tracked.results / "trackers" / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=self.project or tracked.study,
            entity=self.entity,
            id=tracked.run[:32],
            name=tracked.label,
            config=dict(tracked.settings),
            dir=str(folder),
            mode=self.mode,
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        # Stages of one run tell of different steps at the same time: the step is a value of its
        # own, as wandb's must ascend.
        run.define_metric("train_step")
        run.define_metric("*", step_metric="train_step")
        return _Run(run)


class _Run:
    def __init__(self, run: Any) -> None:
        self.run = run

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log({**values, "train_step": step})

    def images(self, step: int, name: str, images: np.ndarray) -> None:
        import wandb

        shown = [
            wandb.Image(image.squeeze(-1) if image.shape[-1] == 1 else image) for image in images
        ]
        self.run.log({name: shown, "train_step": step})

    def close(self) -> None:
        self.run.finish()
