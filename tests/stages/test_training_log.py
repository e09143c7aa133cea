"""What training tells: a row per interval, kept over a kill; a loss that is not finite ends it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from harness.plan.stages import TrainStage
from harness.stages.distributed import World
from harness.stages.training_log import TrainingDiverged, TrainingLog

NORM = torch.tensor(2.0)


def log(prepared: Any, told: list[dict[str, Any]] | None = None) -> TrainingLog:
    task = prepared.task("train")
    work: Any = SimpleNamespace(
        task=task,
        place=task.place,
        device=torch.device("cpu"),
        world=World(),
        progress=lambda **content: (told if told is not None else []).append(content),
    )
    return TrainingLog(TrainStage.model_validate(json.loads(task.settings)), 0.5, work)


def losses(*values: float) -> dict[str, torch.Tensor]:
    return {"loss": torch.tensor(values)}


def test_a_row_is_the_mean_over_the_intervals_images(prepared: Any) -> None:
    one = log(prepared)
    one.begin(0)
    for value in (1.0, 2.0):  # two steps of eight images, each in two micro-batches
        for _ in range(2):
            one.add(losses(*[value] * 4))
    one.close_interval(2, NORM)
    (row,) = one.rows
    assert row["step"] == 2 and row["loss"] == pytest.approx(1.5)
    assert row["grad_norm"] == 2.0 and row["memory_bytes"] > 0
    assert row["gflops_per_second"] == pytest.approx(0.5 * 3 * row["images_per_second"])
    assert set(row) & {"mse", "vb"} == set(), "this objective has no such part"
    one.add(losses(*[4.0] * 8))
    one.close_interval(3, NORM)
    assert one.rows[-1]["loss"] == pytest.approx(4.0), "an interval starts from nothing"


def test_an_interrupted_interval_goes_on_where_it_was(prepared: Any) -> None:
    whole, first, second = log(prepared), log(prepared), log(prepared)
    for one in (whole, first):
        one.begin(0)
        one.add(losses(*[0.1] * 8))
    second.restore(first.tensors()["log.sums"], json.loads(json.dumps(first.about())))
    second.begin(1)
    for one in (whole, second):
        one.add(losses(*[0.7] * 8))
        one.close_interval(2, NORM)
    assert second.rows[0]["loss"] == whole.rows[0]["loss"]
    assert second.seconds >= first.seconds


def test_a_loss_that_is_not_finite_is_told_with_what_can_be_done(prepared: Any) -> None:
    one = log(prepared)
    one.begin(0)
    one.add(losses(*[0.5] * 8))
    one.close_interval(1, NORM)
    one.add(losses(*[float("nan")] * 8))
    with pytest.raises(TrainingDiverged) as caught:
        one.close_interval(2, NORM)
    said = str(caught.value)
    assert "diverged between steps 1 and 2: loss not finite" in said
    assert "the last finite loss was 0.5000 up to step 1" in said
    assert "try a smaller train.learning_rate" in said
    assert len(one.rows) == 1, "nothing of it is recorded"


def test_a_gradient_that_is_not_finite_ends_it_as_well(prepared: Any) -> None:
    one = log(prepared)
    one.begin(0)
    one.add(losses(*[0.5] * 8))
    with pytest.raises(TrainingDiverged, match="gradient norm is inf; no loss was finite yet"):
        one.close_interval(1, torch.tensor(float("inf")))


def test_progress_is_told_at_most_twice_a_second(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    one = log(prepared, told)
    clock = [100.0]
    monkeypatch.setattr("harness.stages.training_log.time.monotonic", lambda: clock[0])
    one.begin(0)
    for step in range(1, 9):
        clock[0] += 0.2
        one.add(losses(*[0.5] * 8))
        one.tell(step, 8)
    assert [content["done"] for content in told] == [3, 6]
    assert told[0]["loss"] == pytest.approx(0.5) and told[0]["total"] == 8
    assert told[0]["images_per_second"] == pytest.approx(3 * 8 / 0.6)
