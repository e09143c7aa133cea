"""What the metrics' tests share: golden numbers, a tiny extractor, a random Inception."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_inception
from tiny_extractor import known, make_tiny

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
    return random_inception.save(tmp_path_factory.mktemp("inception"))
