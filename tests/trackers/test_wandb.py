"""Weights & Biases: nothing is sent unless asked, and steps of two stages do not clash."""

from __future__ import annotations

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


def opened(monkeypatch: pytest.MonkeyPatch, run: Tracked, **settings: Any) -> tuple[Any, Any]:
    package = recorded.package(monkeypatch, "wandb", Image=lambda pixels: pixels.shape)
    tracker: Any = get("tracker", "wandb")
    return package, tracker(**settings).open(run)


def test_all_stages_of_a_run_are_one_run_offline_below_the_results(
    run: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, _ = opened(monkeypatch, run)
    ((_, given),) = package.of("init")
    assert given["mode"] == "offline" and given["project"] == "study"
    assert given["id"] == run.run[:32] and given["resume"] == "allow"
    folder = run.results / "trackers" / "wandb"
    assert given["dir"] == str(folder) and folder.is_dir()
    assert given["config"] == {"seed": 0} and given["name"] == run.label


def test_the_step_is_a_value_of_its_own(run: Tracked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another stage may tell of an earlier step later, which wandb's own step forbids."""
    package, tracking = opened(monkeypatch, run, project="mine", entity="me", mode="online")
    ((_, given),) = package.of("init")
    assert (given["project"], given["entity"], given["mode"]) == ("mine", "me", "online")
    tracking.scalars(20, {"train/loss": 0.5})
    tracking.scalars(5, {"train/loss": 0.7})
    logged = [words[0] for words, _ in package.of("log")]
    assert logged == [{"train/loss": 0.5, "train_step": 20}, {"train/loss": 0.7, "train_step": 5}]
    assert (("*",), {"step_metric": "train_step"}) in package.of("define_metric")


def test_gray_images_are_given_without_their_channel(
    run: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, tracking = opened(monkeypatch, run)
    for channels in (1, 3):
        tracking.images(7, "end/samples", np.zeros((2, 8, 8, channels), np.uint8))
    tracking.close()
    shown = [words[0] for words, _ in package.of("log")]
    assert [s["end/samples"] for s in shown] == [[(8, 8)] * 2, [(8, 8, 3)] * 2]
    assert [s["train_step"] for s in shown] == [7, 7] and len(package.of("finish")) == 1


@pytest.mark.full
def test_it_keeps_the_laws_with_its_own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    testing.check("tracker", "wandb")
