"""Inception-2015 without its weights: random numbers in the published file's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


def save(folder: Path) -> Path:
    """Writes such a file, with numbers that keep activations alive."""
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
