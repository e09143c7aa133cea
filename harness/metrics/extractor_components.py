"""The extractors as components: what each gives, needs and fits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.extractor import Extractor, Network
from harness.errors import BadInput, Missing
from harness.metrics.trained_component import trained_file

if TYPE_CHECKING:
    import numpy as np

ALL = ("pool", "spatial", "probabilities")


class _Published(Extractor):
    """The common part of extractors whose weights are one file."""

    @classmethod
    def file(cls, weights: Path | str | None) -> Path | None:
        """`weights` as a path. Raises Missing when a file was named that is not there."""
        path = None if weights is None else Path(weights)
        if path is not None and not path.is_file():
            raise Missing(f"the weights of extractor {cls.name} are not at {path}")
        return path


def _hub(*parts: str) -> Path:
    """A path below torch's hub folder, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    return Path(os.environ.get("TORCH_HOME", str(Path(cache) / "torch")), "hub", *parts)


SPATIAL = 17 * 17 * 7  # of Inception, as sFID takes them


class _Downloaded(_Published):
    """Published weights, which are downloaded when they are first needed."""

    stored: ClassVar[str]  # the file's name in torch's hub cache, or a pattern of it

    def missing(self, weights: str | None) -> str | None:
        if weights is not None:
            return None if Path(weights).is_file() else f"extractor weights are not at {weights}"
        folder = _hub("checkpoints")
        if any(folder.glob(self.stored)):
            return None
        return (
            f"the {self.name} weights ({self.stored}) are not in {folder}; they are downloaded "
            "when first needed, which wants a network: without one, put the file there or say "
            "--set reference.extractor_weights=FILE"
        )


class Inception2015(_Downloaded):
    """ADM's Inception network: the only one whose distances are called FID."""

    name = "inception-2015"
    gives: ClassVar[tuple[str, ...]] = ALL
    dimensions: ClassVar[int | None] = 2048
    whole_set_statistics: ClassVar[bool] = True
    stored: ClassVar[str] = "weights-inception-2015-12-05-6726825d.pth"

    def width(self, part: str, image_size: int) -> int | None:
        return self.dimensions if part == "pool" else SPATIAL

    def load(self, weights: Path | str | None = None, device: str = "cpu") -> Network:
        from harness.metrics.inception import load

        return load(self.file(weights), device)


class InceptionCustom(_Published):
    """The same network with weights of your own: never called FID."""

    name = "inception-custom"
    gives: ClassVar[tuple[str, ...]] = ALL
    dimensions: ClassVar[int | None] = 2048
    own_weights: ClassVar[bool] = True

    def width(self, part: str, image_size: int) -> int | None:
        return self.dimensions if part == "pool" else SPATIAL

    def missing(self, weights: str | None) -> str | None:
        if weights is None:
            return (
                "extractor inception-custom is Inception with weights of your own: name their file "
                "(reference.extractor_weights)"
            )
        return None if Path(weights).is_file() else f"extractor weights are not at {weights}"

    def load(self, weights: Path | str | None = None, device: str = "cpu") -> Network:
        from harness.metrics.inception import load_custom

        path = self.file(weights)
        if path is None:
            raise Missing(
                "extractor inception-custom is Inception with weights of your own: name their file "
                "with --weights"
            )
        return load_custom(path, device)


class DINOv2(_Downloaded):
    """DINOv2 ViT-L/14, whose distances rank images more as people do (Stein et al. 2023)."""

    name = "dinov2"
    dimensions: ClassVar[int | None] = 1024
    stored: ClassVar[str] = "dinov2_vitl14_pretrain.pth"

    def load(self, weights: Path | str | None = None, device: str = "cpu") -> Network:
        from harness.metrics.pretrained import load_dinov2

        return load_dinov2(self.file(weights), device)


class CLIP(_Downloaded):
    """CLIP ViT-L/14."""

    name = "clip"
    dimensions: ClassVar[int | None] = 768
    stored: ClassVar[str] = "clip-vit-l-14*.pt"

    def load(self, weights: Path | str | None = None, device: str = "cpu") -> Network:
        from harness.metrics.pretrained import load_clip

        return load_clip(self.file(weights), device)


class _TrainedOnEmbedded(_Published):
    """A small classifier that the reference stage trains on an embedded set."""

    gives: ClassVar[tuple[str, ...]] = ALL
    dimensions: ClassVar[int | None] = 64
    trained: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    data: ClassVar[str]  # the set that it is trained on
    least_held_out: ClassVar[int] = 200

    def check(self, data: Any) -> None:
        if data.name != self.data:
            raise BadInput(
                f"extractor {self.name} is trained on {self.data}, the data are {data.name}: "
                "choose an extractor that fits"
            )

    def width(self, part: str, image_size: int) -> int | None:
        # harness.metrics.glyphs_cnn: 7 channels of a map as large as the image, 16 x 16 at most
        return self.dimensions if part == "pool" else 7 * min(image_size, 16) ** 2

    def least_images(self, classes: int) -> int:
        return min(classes, 10)  # an embedded set holds its ten in turn: one image of each

    def held_out(self, images: int) -> int:
        """How many images measure the classifier's accuracy."""
        return max(self.least_held_out, images // 10)

    def load(self, weights: Path | str | None = None, device: str = "cpu") -> Network:
        from harness.metrics.glyphs_cnn import load

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
        from harness.metrics import classifier, glyphs_cnn

        held_out = load("classifier-test", self.held_out(images))
        trained = glyphs_cnn.train(
            *load("classifier", images),
            seed=seed,
            steps=steps,
            name=self.name,
            held_out=held_out,
        )
        glyphs_cnn.save(trained, path)
        return {
            "accuracy": trained.accuracy,
            "chance": classifier.chance_of(held_out[1]),
            "held_out": trained.held_out,
        }


class GlyphsCNN(_TrainedOnEmbedded):
    """A small classifier trained on the spot on the glyphs."""

    name = "glyphs-cnn"
    data: ClassVar[str] = "glyphs"


class DigitsCNN(_TrainedOnEmbedded):
    """The same network trained on scikit-learn's digits."""

    name = "digits-cnn"
    data: ClassVar[str] = "digits"

    def held_out(self, images: int) -> int:
        from harness.data.digits import DEALT

        return DEALT["classifier-test"]  # there are no more
