"""A feature extractor that is quick, and known to the registry for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import brought
import torch
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from harness.components import registry
from harness.metrics.extractors import NetworkExtractor


class TinyNetwork(FeatureExtractorBase):
    """Quadrant means as pool (12), a strip of pixels as spatial, three logits."""

    def __init__(self, name: str, features_list: Sequence[str], **kwargs: Any) -> None:
        super().__init__(name, list(features_list))

    def forward(self, input: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = input.float() / 255
        pool = torch.nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)
        found = {"pool": pool, "strip": x[:, 0, 0, :6], "logits": 8 * x.mean(dim=(2, 3))}
        return tuple(found[feature] for feature in self.features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return "pool", "strip", "logits"


def make_tiny(name: str = "tiny-test") -> NetworkExtractor:
    return NetworkExtractor(
        name=name,
        sha256="0" * 64,
        resize="none",
        network=TinyNetwork(name, ["pool", "strip", "logits"]),
        pool="pool",
        spatial="strip",
        logits="logits",
    )


@contextlib.contextmanager
def known(extractor: NetworkExtractor) -> Iterator[None]:
    """The registry has it, as if a study had brought it in a file."""
    component = brought.extractor(extractor)
    component.gives = ("pool", "spatial", "probabilities")
    registry.add_file_entries([registry.entry_of(component, "file mine.py")])
    try:
        yield
    finally:
        registry.forget_files()
