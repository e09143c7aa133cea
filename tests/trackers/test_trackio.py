"""trackio: a run goes on where another stage left off, in a folder below the results."""

from __future__ import annotations

import os
from pathlib import Path
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


def test_a_run_goes_on_under_a_name_of_its_own_and_images_are_a_strip(
    run: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    monkeypatch.setenv("TRACKIO_DIR", "")  # put back at the end, whatever is set here
    monkeypatch.delenv("TRACKIO_DIR")
    package = recorded.package(monkeypatch, "trackio", Image=lambda pixels: pixels.shape)
    tracking = get("tracker", "trackio")().open(run)  # type: ignore[attr-defined]
    folder = run.results / "trackers" / "trackio"
    assert folder.is_dir() and os.environ["TRACKIO_DIR"] == str(folder)
    ((_, given),) = package.of("init")
    assert given["project"] == "study" and given["resume"] == "allow"
    assert given["name"] == f"{run.label} {run.run[:8]}"
    tracking.scalars(3, {"train/loss": 0.5})
    tracking.images(3, "end/samples", np.zeros((4, 8, 6, 1), np.uint8))
    (scalars, images) = package.of("log")
    assert scalars == (({"train/loss": 0.5},), {"step": 3})
    assert images == (({"end/samples": (8, 24, 3)},), {"step": 3})  # side by side, three channels
    tracking.close()
    assert len(package.of("finish")) == 1


def test_a_folder_that_the_user_chose_is_kept(
    run: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", "/theirs")
    package = recorded.package(monkeypatch, "trackio")
    tracker: Any = get("tracker", "trackio")
    tracker(project="mine").open(run)
    assert os.environ["TRACKIO_DIR"] == "/theirs"
    assert package.of("init")[0][1]["project"] == "mine"


@pytest.mark.full
def test_it_keeps_the_laws_with_its_own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    testing.check("tracker", "trackio")
