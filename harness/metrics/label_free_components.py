"""Extractors for data without labels: one that learns to recognise an image, and a fixed one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.extractor import Extractor, Network
from harness.errors import BadInput
from harness.metrics.trained_component import OfOwnImages, trained_file

if TYPE_CHECKING:
    import numpy as np

LEAST = 128  # images: two batches
HELD_OUT = 100  # images that must be recognised


class SelfSupervised(OfOwnImages):
    """A small network trained on the spot, without labels, to recognise an image.

    Its metrics are named for it and for the data (`fd_self_supervised_photos`). For data without
    labels `random-conv` orders corrupted images better, so that is the default there.
    """

    name = "self-supervised"
    gives: ClassVar[tuple[str, ...]] = ("pool", "spatial")
    dimensions: ClassVar[int | None] = 64

    def least_images(self, classes: int) -> int:
        return LEAST

    def load(self, weights: Path | str | None = None, device: str = "cpu") -> Network:
        from harness.metrics.classifier_extractor import LABEL_FREE, load

        return load(trained_file(self.name, weights), device, LABEL_FREE)

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
        from harness.metrics import classifier, self_supervised

        trained = self_supervised.train(
            load("classifier", images)[0],
            load("classifier-test", HELD_OUT)[0],
            name=f"{self.name}-{data}",
            steps=min(steps, self_supervised.STEPS),
            seed=seed,
        )
        classifier.save(trained, path)
        return {
            "found_again": trained.accuracy,  # of the views of held-out images
            "held_out": trained.held_out,
            "extractor_images": trained.trained_on,
        }


class RandomConvolutions(Extractor):
    """Fixed random convolutions: nothing to train or to download, and no labels needed.

    Its metrics are named for it (`fd_random_conv`). They see textures, sharpness and layout, and
    know nothing of what is shown: a model that draws a wrong thing well is not punished for it.
    """

    name = "random-conv"
    gives: ClassVar[tuple[str, ...]] = ("pool", "spatial")
    dimensions: ClassVar[int | None] = 64

    def load(self, weights: Path | str | None = None, device: str = "cpu") -> Network:
        from harness.metrics.random_conv import load

        if weights is not None:
            raise BadInput(f"extractor {self.name} has fixed weights: leave out {weights}")
        return load(self.name, device)
