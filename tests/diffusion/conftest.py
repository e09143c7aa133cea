"""Golden numbers of the reference implementations, and the small DiT they were made with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.models import build

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def golden_schedules() -> dict[str, np.ndarray]:
    return dict(np.load(DATA / "diffusion" / "schedules.npz"))


@pytest.fixture(scope="session")
def golden_losses() -> dict[str, np.ndarray]:
    return dict(np.load(DATA / "diffusion" / "training_losses.npz"))


@pytest.fixture(scope="session")
def golden_io() -> dict[str, np.ndarray]:
    return dict(np.load(DATA / "models" / "small_dit_io.npz"))


@pytest.fixture()
def small_dit() -> torch.nn.Module:
    model = build(
        depth=3, width=48, heads=4, patch_size=2, input_size=8, channels=4, num_classes=10
    )
    stored = torch.load(DATA / "models" / "small_dit.pt", weights_only=True)["state_dict"]
    model.load_state_dict({k: v.reshape(model.state_dict()[k].shape) for k, v in stored.items()})
    return model
