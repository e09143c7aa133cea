"""The benchmark measures the real loop, and plan's estimate uses the latest that matches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.plan import estimate, make_plan
from harness.spec import load_study
from harness.stages.benchmark import Setting, measure
from harness.stages.work import Stopped
from harness.store.codec import Measured

Laboratory = Any  # conftest.py's; pytest gives it without an import


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["train", "sample"])
def test_a_record_holds_rates_that_fit_each_other(kind: str) -> None:
    setting = Setting(kind, "DiT-micro-S/4", batch_size=4, steps=2, device="cpu")
    found = measure(setting)
    factor = 3 if kind == "train" else 2  # backward; sampler steps
    rate = found.images_per_second * found.gflops * factor
    assert found.gflops_per_second == pytest.approx(rate)
    assert found.seconds_per_gflop == pytest.approx(1 / rate)
    assert found.memory_bytes > 1e7 and found.matmul_gflops_per_second > 0
    assert found.utilisation is None  # of a CPU no peak is known


def record(kind: str, model: str, precision: str, rate: float, time: str, device: str) -> Any:
    return {
        "kind": kind,
        "model": model,
        "precision": precision,
        "seconds_per_gflop": rate,
        "made": {"committed": time, "device": device},
    }


def test_the_latest_benchmark_of_kind_model_precision_and_device_is_used(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    model = "DiT-2x16x2/4"
    folder = tmp_path / "b" / "bench"
    folder.mkdir(parents=True)
    for i, made in enumerate(
        [
            record("train", model, "float32", 3.0, "2026-01-03", "AMD"),
            record("train", model, "float32", 2.0, "2026-01-02", "AMD"),
            record("train", model, "bf16", 5.0, "2026-01-09", "AMD"),
            record("train", model, "float32", 7.0, "2026-01-09", "NVIDIA H100"),
            record("train", "DiT-B/4", "float32", 9.0, "2026-01-09", "AMD"),
        ]
    ):
        (folder / f"{i}.json").write_text(json.dumps(made))
    (folder / "torn.json").write_text("{")
    benchmarks = estimate.read_benchmarks(tmp_path / "b")
    committed = [("train", Measured(100.0, gflops=1.0, model=model, device="AMD"))]
    rates = estimate.rates(committed, False, benchmarks)
    stages = {s.kind: s for s in laboratory.plan().stages.values()}
    train = stages["train"]
    assert rates.seconds(train, model) == pytest.approx(3.0 * train.gflops)
    assert estimate.rates(committed, False).seconds(train, model) == pytest.approx(
        100.0 * train.gflops
    )
    assert rates.seconds(stages["sample"], model) is None  # nothing was measured: no guess


def test_encoding_is_estimated_from_its_benchmark_and_the_number_of_images(tmp_path: Path) -> None:
    plan = make_plan(load_study("studies/scaling.yaml", "imagenet256"))
    encode = next(s for s in plan.stages.values() if s.kind == "encode")
    measured = {
        "kind": "encode",
        "model": "sd-vae",
        "precision": "float32",
        "seconds_per_gflop": None,
        "made": {"committed": "2026-01-03", "device": "NVIDIA H100"},
    }
    (tmp_path / "bench").mkdir()
    for size, seconds in ((256, 0.01), (512, 0.04)):
        record = {**measured, "image_size": size, "seconds_per_image": seconds}
        (tmp_path / "bench" / f"{size}.json").write_text(json.dumps(record))
    rates = estimate.rates([], True, estimate.read_benchmarks(tmp_path))
    data = estimate.data_of(plan, encode)
    assert rates.seconds(encode, None, data) == pytest.approx(1_281_167 * 0.01)
    assert estimate.rates([], False, estimate.read_benchmarks(tmp_path)).measured == 0
    assert estimate.total_seconds(plan, [encode], rates) == pytest.approx(12811.67)


def test_rates_are_of_one_device_and_not_of_what_an_interrupted_attempt_did_last() -> None:
    plan = make_plan(load_study("studies/scaling.yaml", "imagenet256"))
    train = next(s for s in plan.stages.values() if s.kind == "train")
    whole = Measured(10.0, gflops=4.0, model="m", device="NVIDIA H100", devices=8)
    rest = replace(whole, seconds=0.1, resumed=True)
    rates = estimate.rates([("train", whole), ("train", rest)], cuda=True)
    assert rates.measured == 1
    assert rates.seconds(train, "m") == pytest.approx(10.0 * 8 / 4.0 * (train.gflops or 0))


@pytest.mark.slow
def test_an_attempt_that_goes_on_from_another_says_so(laboratory: Laboratory) -> None:
    task = laboratory.task("train", "train.checkpoint_every=2")
    with pytest.raises(Stopped):
        laboratory.run(task, lambda: True)
    laboratory.run(task)
    assert laboratory.manifest(task)["measured"]["resumed"] is True
    other = laboratory.task("encode")
    assert laboratory.manifest(other)["measured"]["resumed"] is False
    assert laboratory.manifest(other)["measured"]["devices"] == 1
