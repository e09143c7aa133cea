"""What the metrics' tests share: golden numbers, a tiny extractor, a random Inception."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_extractor import known, make_tiny
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

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


@pytest.fixture
def tiny() -> NetworkExtractor:
    return make_tiny()


@pytest.fixture
def registered(tiny: NetworkExtractor) -> Iterator[NetworkExtractor]:
    with known(tiny):
        yield tiny


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
