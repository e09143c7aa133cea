"""Feature extractors by name.

Every extractor is a torch-fidelity extractor (a FeatureExtractorBase: uint8 NCHW in, a tuple in the
order of its features_list out) wrapped with what a record needs: a name, the checksum of its
weights, and how it resizes. Another package adds its own with `register_extractor`.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from harness.errors import BadInput, Missing
from harness.metrics.precision import full_float32

if TYPE_CHECKING:
    import torch

# name -> "module:attribute" of its loader, imported only when that extractor is asked for
_BUILT_IN = {
    "inception-2015": "harness.metrics.inception:load",
    "inception-custom": "harness.metrics.inception:load_custom",
    "dinov2": "harness.metrics.pretrained:load_dinov2",
    "clip": "harness.metrics.pretrained:load_clip",
    "glyphs-cnn": "harness.metrics.glyphs_cnn:load",
    "digits-cnn": "harness.metrics.glyphs_cnn:load",
}
_TRAINED = (
    "is trained by a study's reference stage and has no published weights: give the .safetensors "
    "file that stage wrote"
)
# Without a file there is nothing to download.
_NEEDS_WEIGHTS = {
    "glyphs-cnn": _TRAINED,
    "digits-cnn": _TRAINED,
    "inception-custom": "is Inception with weights of your own: name their file with --weights",
}


class Extractor(Protocol):
    """What the metrics need of an extractor: who it is, and features of uint8 (N, 3, H, W)."""

    @property
    def name(self) -> str:
        """As registered; it becomes part of every metric's name."""

    @property
    def sha256(self) -> str:
        """Of the weights file."""

    @property
    def resize(self) -> str:
        """How images are brought to the network's size, in words, for the record."""

    def __call__(self, images: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """{"pool": (N, D), and where it has them "spatial": (N, D2), "probabilities": (N, K)}."""


Loader = Callable[["Path | None", str], Extractor]
_loaders: dict[str, Loader] = {}


@dataclass(frozen=True)
class NetworkExtractor:
    """A torch-fidelity network and what a record says about it.

    network: FeatureExtractorBase; pool, spatial, logits: names in its features_list (spatial and
    logits may be None). Probabilities are the softmax of the logits.
    """

    name: str  # as registered, and part of every metric's name
    sha256: str  # of the weights file
    resize: str  # in words, for the record
    network: Any
    pool: str
    spatial: str | None = None
    logits: str | None = None
    device: str = "cpu"

    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """uint8 (N, 3, H, W) -> {"pool": (N, D), "spatial": (N, D2), "probabilities": (N, K)}."""
        import torch

        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise BadInput(
                f"extractor {self.name} takes uint8 (N, 3, H, W), "
                f"got {images.dtype} {tuple(images.shape)}"
            )
        with torch.inference_mode(), full_float32():
            outputs = self.network(images.to(self.device))
            named = self.network.convert_features_tuple_to_dict(outputs)
            result = {"pool": named[self.pool]}
            if self.spatial is not None:
                result["spatial"] = named[self.spatial]
            if self.logits is not None:
                result["probabilities"] = named[self.logits].softmax(dim=1)
        return result


def register_extractor(name: str, loader: Loader) -> None:
    """Makes `load_extractor(name)` call `loader(weights, device)`. BadInput: the name is taken."""
    taken = _loaders.get(name)
    if name in _BUILT_IN or (taken is not None and taken is not loader):
        raise BadInput(f"an extractor named {name!r} is registered already")
    _loaders[name] = loader


def extractor_names() -> list[str]:
    """Every name that `load_extractor` knows."""
    return sorted({*_BUILT_IN, *_loaders})


def load_extractor(name: str, weights: Path | str | None = None, device: str = "cpu") -> Extractor:
    """The extractor `name` on `device`, ready to call.

    `weights`: a local file. Without it, the published extractors download theirs through
    torch-fidelity; those trained on the spot (glyphs-cnn) need it.

    Raises BadInput for an unknown name (lists the known ones) and Missing for absent weights
    (says which file to put where).
    """
    loader = _loaders.get(name)
    if loader is None:
        if name not in _BUILT_IN:
            raise BadInput(f"unknown extractor {name!r}; there are: {', '.join(extractor_names())}")
        module, attribute = _BUILT_IN[name].split(":")
        loader = cast(Loader, getattr(importlib.import_module(module), attribute))
    path = None if weights is None else Path(weights)
    if path is not None and not path.is_file():
        raise Missing(f"the weights of extractor {name} are not at {path}")
    if path is None and name in _NEEDS_WEIGHTS:
        raise Missing(f"extractor {name} {_NEEDS_WEIGHTS[name]}")
    extractor = loader(path, device)
    if extractor.name != name:
        raise BadInput(f"{path} holds the weights of extractor {extractor.name}, not of {name}")
    return extractor


def register_with_torch_fidelity(name: str, network: type) -> None:
    """Enters `network` in torch-fidelity's registry once; a second entry there raises."""
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    if name not in FEATURE_EXTRACTORS_REGISTRY:
        import torch_fidelity

        torch_fidelity.register_feature_extractor(name, network)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
