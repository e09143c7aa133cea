"""What the metrics' tests share: golden numbers, a tiny extractor, a random Inception."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import brought
import numpy as np
import pytest
import torch
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from harness.components import registry
from harness.metrics.extractors import NetworkExtractor

DATA = Path(__file__).parents[1] / "data" / "metrics"


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    """ref (3000, 64), sample (2500, 64), preds (6000, 10): what ADM's evaluator was run on."""
    with np.load(DATA / "inputs.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    return json.loads((DATA / "expected.json").read_text())


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


@pytest.fixture
def tiny() -> NetworkExtractor:
    return make_tiny()


@pytest.fixture
def registered(tiny: NetworkExtractor) -> Iterator[NetworkExtractor]:
    """`tiny`, known to the registry as tiny-test."""
    registry.add_file_entries([registry.entry_of(brought.extractor(tiny), "file mine.py")])
    yield tiny
    registry.forget_files()


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the published weights' format, with random numbers that keep activations alive."""
    folder = tmp_path_factory.mktemp("inception")
    empty = folder / "empty.pth"
    torch.save({}, empty)

    class Unloaded(FeatureExtractorInceptionV3):
        def load_state_dict(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
            """Keeps the freshly made layers."""

    network = Unloaded("random", ["2048"], feature_extractor_weights_path=str(empty))
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
        elif isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.8, 1.2, generator=generator)
    network.fc.weight.normal_(0, 0.05, generator=generator)
    network.fc.bias.normal_(0, 1.0, generator=generator)
    path = folder / "weights-inception.pth"
    torch.save(network.state_dict(), path)
    return path
