"""Feature extractors: `reference.extractor` in a study.

An extractor turns uint8 images (N, 3, H, W) into named features: "pool" (N, D), and where it has
them "spatial" (N, D2) and "probabilities" (N, K). The features of an image do not depend on the
batch it comes in, to rounding.

Only inception-2015 may have its distances called FID: every other extractor's name becomes part of
its metrics' names.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from harness.components.base import Component

if TYPE_CHECKING:
    import numpy as np
    import torch

BUILT_IN = {
    "inception-2015": "harness.metrics.extractor_components:Inception2015",
    "inception-custom": "harness.metrics.extractor_components:InceptionCustom",
    "dinov2": "harness.metrics.extractor_components:DINOv2",
    "clip": "harness.metrics.extractor_components:CLIP",
    "glyphs-cnn": "harness.metrics.extractor_components:GlyphsCNN",
    "digits-cnn": "harness.metrics.extractor_components:DigitsCNN",
    "classifier": "harness.metrics.classifier_component:Classifier",
    "self-supervised": "harness.metrics.label_free_components:SelfSupervised",
    "random-conv": "harness.metrics.label_free_components:RandomConvolutions",
}


class Network(Protocol):
    """A loaded extractor: who it is, and features of uint8 (N, 3, H, W)."""

    @property
    def name(self) -> str:
        """The extractor's; it becomes part of every metric's name."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights."""

    @property
    def resize(self) -> str:
        """How images are brought to the network's size, in words, for the record."""

    def __call__(self, images: "torch.Tensor") -> "Mapping[str, torch.Tensor]":
        """{"pool": (N, D), "spatial": (N, D2), "probabilities": (N, K)}; the last two may lack."""


class Extractor(Component):
    """A feature extractor: the network through which images are compared."""

    kind: ClassVar[str] = "extractor"
    gives: ClassVar[tuple[str, ...]] = ("pool",)  # of pool, spatial and probabilities
    dimensions: ClassVar[int | None] = None  # of the pool features, where known before loading
    trained: ClassVar[bool] = False  # on the spot, on images of the study's own data
    needs_labels: ClassVar[bool] = False
    whole_set_statistics: ClassVar[bool] = False  # ADM's published statistics are of its features
    own_weights: ClassVar[bool] = False  # weights may be any file, so their name enters the key

    def check(self, data: Any) -> None:
        """Raise BadInput when the extractor does not fit a study's data (its DataSettings)."""

    def width(self, part: str, image_size: int) -> int | None:
        """How many numbers a part of the features has ("pool", "spatial") for images of
        `image_size` pixels; None where that is not known before loading."""
        return self.dimensions if part == "pool" else None

    def least_images(self, classes: int) -> int:
        """How few images of `classes` classes it can be trained on, where it is trained."""
        return 1

    def goes_by(self, name: str) -> bool:
        """Is a loaded network of this name this extractor's? One trained on any data has the
        data's name in its own, and so have its metrics."""
        return name == self.name

    def missing(self, weights: str | None) -> str | None:
        """A sentence that names what loading needs and this machine lacks; None: nothing."""
        return None

    @abstractmethod
    def load(self, weights: Path | str | None = None, device: str = "cpu") -> Network:
        """The network, ready to call. weights: a local file, where one was given or trained.

        Raises Missing for absent weights, saying which file to put where.
        """

    def train(
        self,
        load: Callable[[str, int | None], "tuple[np.ndarray, np.ndarray]"],
        path: Path,
        *,
        images: int,
        steps: int,
        seed: int,
        data: str,
    ) -> dict[str, Any]:
        """Train on the spot and write the weights to `path`; return what is worth recording.

        load(split, count) gives (images uint8 (N, H, W, C), labels (N,)) of a split of the data:
        "classifier" to train on, "classifier-test" to measure what came out. At most `count` of
        images that lie on disk, which are those that the reference and the floor do not have (the
        test's: that the reference has). data: the name of the data.
        The facts "accuracy", "chance" (the share of the most frequent class) and "held_out" (the
        images behind both) go into the records of everything that is measured.
        """
        raise NotImplementedError
