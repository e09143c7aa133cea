"""Feature extractors by name.

Every extractor is a torch-fidelity extractor (a FeatureExtractorBase: uint8 NCHW in, a tuple in the
order of its features_list out) wrapped with what a record needs: a name, the checksum of its
weights, and how it resizes. They are components (harness.components.extractor): anybody may bring
another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import components
from harness.components.extractor import Network as Extractor
from harness.errors import BadInput
from harness.metrics.precision import full_float32

if TYPE_CHECKING:
    import torch


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


def extractor_names() -> list[str]:
    """Every name that `load_extractor` knows."""
    return sorted(components.names("extractor"))


def load_extractor(
    name: str | components.Extractor, weights: Path | str | None = None, device: str = "cpu"
) -> Extractor:
    """The extractor `name` (or the component itself) on `device`, ready to call.

    `weights`: a local file. Without it, the published extractors download theirs through
    torch-fidelity; those trained on the spot (glyphs-cnn) need it.

    Raises BadInput for an unknown name (lists the known ones) and Missing for absent weights
    (says which file to put where).
    """
    component = components.get("extractor", name)() if isinstance(name, str) else name
    assert isinstance(component, components.Extractor)
    extractor = component.load(weights, device)
    if not component.goes_by(extractor.name):
        raise BadInput(
            f"{weights} holds the weights of extractor {extractor.name}, not of {component.name}"
        )
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
