from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.models import dit

DATA = Path(__file__).parents[1] / "data" / "models"
PLAIN = Path(__file__).with_name("plain_dit.py")

_spec = importlib.util.spec_from_file_location("plain_dit", PLAIN)
_plain_dit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_plain_dit)


@pytest.fixture(scope="session")
def plain_dit():
    """PlainDiT, the independent writing of the adaLN-Zero model."""
    return _plain_dit.PlainDiT


@pytest.fixture
def golden_file() -> Path:
    """The reference implementation's small model, as torch.save wrote it."""
    return DATA / "small_dit.pt"


@pytest.fixture
def golden_state(golden_file) -> dict[str, torch.Tensor]:
    return torch.load(golden_file, weights_only=True)["state_dict"]


@pytest.fixture(scope="session")
def golden_io() -> dict[str, torch.Tensor]:
    """The reference implementation's inputs, outputs and intermediate activations."""
    with np.load(DATA / "small_dit_io.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


@pytest.fixture
def golden_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sinusoids that the golden outputs were made with, for the timesteps in them.

    MKL's exponential in float32 differs by a unit in the last place between processors, and by
    3e-5 in a sinusoid of timestep 999: more than what is compared in float64. These are of
    MKL_ENABLE_INSTRUCTIONS=SSE4_2, with which the outputs agree to 4e-16.
    """
    with np.load(DATA / "small_dit_features.npz") as arrays:
        known = dict(zip(arrays["t"].tolist(), torch.from_numpy(arrays["features"]), strict=True))
    own = dit.timestep_features

    def recorded(t: torch.Tensor, size: int = dit.TIMESTEP_FEATURES) -> torch.Tensor:
        found = torch.stack([known[int(one)] for one in t])
        assert (found - own(t, size)).abs().max() < 1e-4
        return found

    monkeypatch.setattr(dit, "timestep_features", recorded)


@pytest.fixture
def randomised():
    """Fills a model with random weights, so that nothing is hidden by a zero initialisation."""

    def fill(model: torch.nn.Module, std: float = 0.1) -> torch.nn.Module:
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * std)
        return model

    return fill
