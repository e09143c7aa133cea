"""What stages leave behind is typed, and says itself what is derived from it."""

from __future__ import annotations

import dataclasses

import pytest

from harness.plan.stages import STAGE_SETTINGS
from harness.store.results import RESULTS, SampleResult, TrainResult

COLUMNS = {"step": 400, "gflops": 2, "autoencoder": "sd-vae"}


def test_every_stage_kind_has_a_frozen_result() -> None:
    assert set(RESULTS) == set(STAGE_SETTINGS)
    for cls in RESULTS.values():
        assert dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen


def test_a_checkpoint_says_what_its_columns_say() -> None:
    made = TrainResult(COLUMNS, {}, objective="flow")
    assert (made.step, made.gflops, made.autoencoder) == (400, 2.0, "sd-vae")
    assert isinstance(made.gflops, float)
    assert made.trained_for == {"objective": "flow", "diffusion_steps": None}


def test_an_imported_checkpoint_may_not_know_its_steps() -> None:
    assert TrainResult({"gflops": 1.0, "autoencoder": "identity"}, {}).step is None


def test_what_a_stage_left_is_not_changed_later() -> None:
    made = SampleResult({}, "a" * 64, 10, "npz")
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.samples = 11  # type: ignore[misc]
