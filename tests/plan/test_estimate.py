"""Time estimates come from measurements, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.plan import make_plan
from harness.plan.estimate import rates, read_benchmarks, total_seconds
from harness.spec import load_study


def test_nothing_measured_is_no_estimate() -> None:
    plan = make_plan(load_study("studies/scaling.yaml", "smoke"))
    assert total_seconds(plan, plan.stages.values(), rates([], cuda=False)) is None


def test_a_measured_rate_scales_with_gflops_and_prefers_the_same_model() -> None:
    plan = make_plan(load_study("studies/scaling.yaml", "smoke"))
    trains = [s for s in plan.stages.values() if s.kind == "train"]
    small = next(s for s in trains if "S/8" in s.label)
    large = next(s for s in trains if "XL/2" in s.label)
    found = rates(
        [
            ("train", {"seconds": 2.0, "gflops": 1.0, "model": "DiT-micro-S/8", "device": "EPYC"}),
            ("train", {"seconds": 6.0, "gflops": 1.0, "model": "DiT-micro-B/8", "device": "EPYC"}),
            ("train", {"seconds": 9.0, "gflops": 9.0, "model": "x", "device": "NVIDIA H100"}),
        ],
        cuda=False,
    )
    assert small.gflops is not None and large.gflops is not None
    assert found.seconds(small, "DiT-micro-S/8") == pytest.approx(2 * small.gflops)
    assert found.seconds(large, "DiT-micro-XL/2") == pytest.approx(4 * large.gflops)  # median
    sample = next(s for s in plan.stages.values() if s.kind == "sample")
    assert found.seconds(sample, "DiT-micro-S/8") is None


def test_benchmark_files_that_are_none_are_left_out(tmp_path: Path) -> None:
    good = {"kind": "train", "model": "x", "seconds_per_gflop": 0.5, "precision": "bf16"}
    good |= {"made": {"device": "EPYC", "committed": "2026-11-23"}}
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "good.json").write_text(json.dumps(good))
    for i, bad in enumerate(({}, [1], {**good, "made": {}}, {**good, "seconds_per_gflop": "fast"})):
        (folder / f"{i}.json").write_text(json.dumps(bad))
    assert read_benchmarks(tmp_path) == [good]
