"""TensorBoard: event files in a folder of the run's own."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import recorded

from harness import testing
from harness.components import get
from harness.components.tracker import Tracked


@pytest.fixture
def run(tmp_path: Path) -> Tracked:
    return Tracked("study", "ab" * 32, "DiT-S/2 seed 0", {"seed": 0}, tmp_path / "results")


def test_a_run_has_a_folder_of_its_own_and_images_are_given_as_they_are(
    run: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = recorded.Recorder([])
    module = SimpleNamespace(SummaryWriter=lambda folder: package.SummaryWriter(folder))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    tracking: Any = get("tracker", "tensorboard")().open(run)  # type: ignore[attr-defined]
    assert package.of("SummaryWriter") == [((str(run.results / "tensorboard" / run.run),), {})]
    tracking.scalars(5, {"train/loss": 0.5, "end/fd": 2.0})
    assert package.of("add_scalar") == [
        (("train/loss", 0.5, 5), {}),
        (("end/fd", 2.0, 5), {}),
    ]
    tracking.images(5, "end/samples", np.zeros((4, 8, 8, 3), np.uint8))
    ((words, more),) = package.of("add_images")
    assert words[0] == "end/samples" and words[1].shape == (4, 8, 8, 3) and words[2] == 5
    assert more == {"dataformats": "NHWC"}
    tracking.close()
    assert len(package.of("close")) == 1


@pytest.mark.full
def test_it_keeps_the_laws_with_its_own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    testing.check("tracker", "tensorboard")
