"""A classifier trained on the spot as an extractor: for us, and for torch-fidelity.

extractor = load(path, device="cpu")
extractor(uint8 (N, C, H, W)) -> {"pool": (N, 64), "spatial": (N, S), "probabilities": (N, K)}
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from harness.errors import BadInput
from harness.metrics.classifier import EXTRACT_BATCH, Trained, read
from harness.metrics.classifier_network import SIDE, Network, to_float
from harness.metrics.extractors import register_with_torch_fidelity
from harness.metrics.precision import full_float32

FEATURES = ("pool", "spatial", "probabilities")
LABEL_FREE = ("pool", "spatial")  # of a network whose last layer tells no classes
SPATIAL_CHANNELS = 7  # sFID keeps the first 7 channels of a mid-level map, flattened NHWC
SPATIAL_SIDE = 16  # larger maps are averaged down to this, so 7 x 16 x 16 = 1792 numbers at most


class EmbeddedExtractor(FeatureExtractorBase):  # type: ignore[misc]
    """The network as torch-fidelity wants it: uint8 (N, 3, H, W) in, a tuple of features out.

    Registered under its own name. torch-fidelity makes one with
    `create_feature_extractor("glyphs-cnn", [...], feature_extractor_weights_path=path)`.
    """

    def __init__(
        self,
        name: str,
        features_list: Sequence[str],
        feature_extractor_weights_path: str | Path | None = None,
        **_: Any,
    ) -> None:
        super().__init__(name, list(features_list))
        if feature_extractor_weights_path is None:
            raise BadInput(f"{name} has no weights of its own: give feature_extractor_weights_path")
        path = Path(feature_extractor_weights_path)
        self.trained = read(path)
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if self.trained.name != name:
            raise BadInput(f"{path} holds the weights of {self.trained.name}, not of {name}")
        self.network = Network(self.trained.num_classes, self.trained.pooling)
        try:
            self.network.load_state_dict(dict(self.trained.weights))
        except RuntimeError as error:
            raise BadInput(f"{path} holds other tensors than {name} has: {error}") from error
        self.eval()
        self.requires_grad_(False)

    def forward(self, input: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """uint8 (N, 3, H, W) -> the requested features, in the order requested."""
        _check_images(input, self.trained)
        pool, middle, logits = self.network(to_float(input))
        middle = middle[:, :SPATIAL_CHANNELS]
        if middle.shape[-1] > SPATIAL_SIDE:
            middle = F.adaptive_avg_pool2d(middle, SPATIAL_SIDE)
        found = {
            "pool": pool,
            "spatial": middle.permute(0, 2, 3, 1).flatten(1),
            "probabilities": logits.softmax(1),
            "logits": logits,
        }
        return tuple(found[feature] for feature in self.features_list)

    def get_name(self) -> str:
        """The name under which torch-fidelity caches features; two trainings have two names."""
        return f"{self.name}-{self.sha256[:16]}"

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return (*FEATURES, "logits")

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return {"isc": "logits", "fid": "pool", "kid": "pool", "prc": "pool"}[metric]

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    @staticmethod
    def get_dummy_input_for_compile() -> torch.Tensor:
        return torch.zeros(1, 3, 8, 8, dtype=torch.uint8)


@dataclass(frozen=True)
class Extractor:
    """A loaded extractor: call it on images, and record name, sha256 and resize with the result."""

    name: str
    sha256: str
    """SHA-256 of the weights file."""
    resize: str
    device: str
    module: EmbeddedExtractor
    """The same network, for torch-fidelity's own functions."""

    @property
    def accuracy(self) -> float:
        """Held-out accuracy of the classifier when it was trained, in [0, 1]."""
        return self.module.trained.accuracy

    @torch.inference_mode()
    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """uint8 (N, 1 or 3, H, W) -> float32 features on the CPU, in batches of EXTRACT_BATCH.

        Gray images are repeated to three channels. Raises BadInput for other shapes or types.
        """
        if images.ndim == 4 and images.shape[1] == 1:
            images = images.repeat(1, 3, 1, 1)
        _check_images(images, self.module.trained)
        with full_float32():
            parts = [self.module(part.to(self.device)) for part in images.split(EXTRACT_BATCH)]  # type: ignore[no-untyped-call]
        columns, names = zip(*parts, strict=True), self.module.features_list
        return {k: torch.cat(v).float().cpu() for k, v in zip(names, columns, strict=True)}


def load(weights: str | Path, device: str = "cpu", features: Sequence[str] = FEATURES) -> Extractor:
    """Load a saved extractor and register it with torch-fidelity. BadInput for a bad file.

    features: of FEATURES, which it gives.
    """
    trained = read(weights)
    register_with_torch_fidelity(trained.name, EmbeddedExtractor)
    module = EmbeddedExtractor(trained.name, features, feature_extractor_weights_path=weights)
    resize = "none" if trained.image_size <= SIDE else f"area average to {SIDE}x{SIDE}"
    return Extractor(trained.name, module.sha256, resize, device, module.to(device))


def _check_images(images: torch.Tensor, trained: Trained) -> None:
    expected = (3, trained.image_size, trained.image_size)
    if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != expected:
        raise BadInput(
            f"{trained.name} was trained on {trained.image_size}x{trained.image_size} images and "
            f"takes uint8 images of (N, {', '.join(map(str, expected))}); these are "
            f"{str(images.dtype).removeprefix('torch.')}, {tuple(images.shape)}"
        )
    if not len(images):
        raise BadInput(f"{trained.name} was given no images")
