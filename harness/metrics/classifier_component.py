"""The classifier trained on the study's own labelled images, as an extractor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from harness.components.extractor import Network
from harness.errors import BadInput
from harness.metrics.trained_component import OfOwnImages, trained_file

if TYPE_CHECKING:
    import numpy as np

PER_CLASS = 10  # images of a class, on average, below which there is nothing to learn
HELD_OUT = (50, 2000)  # images that measure it: a quarter of those it is trained on, within this


class Classifier(OfOwnImages):
    """A small classifier trained on the spot on the study's own labelled images.

    For data that no published network was made for, and for machines without a network. Its metrics
    are named for it and for the data (`fd_classifier_flowers`), never FID.
    """

    name = "classifier"
    gives: ClassVar[tuple[str, ...]] = ("pool", "spatial", "probabilities")
    dimensions: ClassVar[int | None] = 64
    needs_labels: ClassVar[bool] = True

    flip: bool = False
    "Mirror images in training: say so where a mirrored image could be a real one."

    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.125
    "Move images in training by up to this share of their side."

    def check(self, data: Any) -> None:
        if data.num_classes < 2:
            raise BadInput(
                f"extractor {self.name} learns to tell classes apart, and data.num_classes is "
                f"{data.num_classes}: choose one that needs no labels, as random-conv"
            )

    def least_images(self, classes: int) -> int:
        return PER_CLASS * classes

    def load(self, weights: Path | str | None = None, device: str = "cpu") -> Network:
        from harness.metrics.classifier_extractor import load

        return load(trained_file(self.name, weights), device)

    def train(
        self,
        load: Callable[[str, int | None], tuple[np.ndarray, np.ndarray]],
        path: Path,
        *,
        images: int,
        steps: int,
        seed: int,
        data: str,
    ) -> dict[str, Any]:
        from harness.metrics import classifier

        trained = classifier.train(
            *load("classifier", images),
            name=f"{self.name}-{data}",
            held_out=load("classifier-test", min(HELD_OUT[1], max(HELD_OUT[0], images // 4))),
            recipe=classifier.Recipe(steps=steps, shift=self.shift, flip=self.flip),
            seed=seed,
        )
        classifier.save(trained, path)
        return {
            "accuracy": trained.accuracy,
            "chance": trained.chance,
            "held_out": trained.held_out,
            "extractor_images": trained.trained_on,
            "extractor_step": trained.kept_step,
        }
