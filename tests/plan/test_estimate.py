"""Time estimates come from measurements, or not at all."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.plan import Plan, Stage, make_plan
from harness.plan.estimate import Rates, Speed, rates, read_benchmarks, total_seconds
from harness.spec import load_study
from harness.store import codec
from harness.store.codec import Measured


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
            ("train", Measured(2.0, gflops=1.0, model="DiT-micro-S/8", device="EPYC")),
            ("train", Measured(6.0, gflops=1.0, model="DiT-micro-B/8", device="EPYC")),
            ("train", Measured(9.0, gflops=9.0, model="x", device="NVIDIA H100")),
        ],
        cuda=False,
    )
    assert small.gflops is not None and large.gflops is not None
    assert found.seconds(small, "DiT-micro-S/8") == pytest.approx(2 * small.gflops)
    assert found.seconds(large, "DiT-micro-XL/2") == pytest.approx(4 * large.gflops)  # median
    sample = next(s for s in plan.stages.values() if s.kind == "sample")
    assert found.seconds(sample, "DiT-micro-S/8") is None


@pytest.mark.parametrize(
    ("measured_s", "gflops", "bound"),
    [(0.4, 1.0, True), (0.4, 0.01, False), (59.0, 1.0, True), (61.0, 1.0, False)],
)
def test_what_only_far_shorter_stages_say_is_a_bound(
    measured_s: float, gflops: float, bound: bool
) -> None:
    """After a study of 20 steps, one of ten minutes was said to take nine hours."""
    stage = Stage("train", "a", "{}", {}, {}, ("a",), 11 * gflops)
    found = rates([("train", Measured(measured_s, gflops=1.0, model="S", device="EPYC"))], False)
    for model in ("S", "never measured"):
        seconds = found.seconds(stage, model)
        assert seconds == pytest.approx(11 * gflops * measured_s)
        assert found.at_most(stage, model, seconds) == bound
    assert not found.at_most(stage, "S", None)


def test_benchmark_files_that_are_none_are_left_out(tmp_path: Path) -> None:
    good = {"kind": "train", "model": "x", "seconds_per_gflop": 0.5, "precision": "bf16"}
    good |= {"made": {"device": "EPYC", "committed": "2026-11-23"}}
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "good.json").write_text(json.dumps(good))
    for i, bad in enumerate(({}, [1], {**good, "made": {}}, {**good, "seconds_per_gflop": "fast"})):
        (folder / f"{i}.json").write_text(json.dumps(bad))
    assert read_benchmarks(tmp_path) == [codec.benchmark(good)]


def record(seconds: float, model: str = "DiT-micro-S/8", **setting: object) -> dict[str, object]:
    """A benchmark's, of what the study below asks for where nothing else is said."""
    asked = {"compile": True, "checkpointing": False, "tf32": True, "batch_size": 16}
    made = {"device": "EPYC", "committed": "2026-11-23"}
    found = {"kind": "train", "model": model, "precision": "bf16", "seconds_per_gflop": seconds}
    return {**found, **asked, **setting, "made": made}


@pytest.fixture(scope="module")
def asking() -> Plan:
    sets = ("compile=true", "tf32=true", "precision=bf16")
    return make_plan(load_study("studies/scaling.yaml", "smoke", [f"train.{s}" for s in sets]))


def training(plan: Plan, model: str = "S/8") -> Stage:
    return next(s for s in plan.stages.values() if s.kind == "train" and model in s.label)


def rate(found: Rates, stage: Stage, model: str = "DiT-micro-S/8") -> float:
    seconds = found.seconds(stage, model)
    assert seconds is not None and stage.gflops is not None
    return seconds / stage.gflops


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([record(1.0), record(2.0)], 2.0),  # the latest of equals
        ([record(1.0), record(2.0, batch_size=1, checkpointing=True)], 1.0),
        ([record(1.0, tf32=False), record(2.0, batch_size=1)], 2.0),
        ([record(1.0, tf32=False), record(2.0, checkpointing=True)], 1.0),
        ([record(1.0, checkpointing=True), record(2.0, compile=False)], 1.0),
        ([record(1.0, compile=False), record(2.0, precision="float32")], 1.0),
        ([record(1.0, batch_size=8), record(2.0, batch_size=256)], 1.0),
        ([record(1.0, batch_size=64, batch_per_device=16), record(2.0, batch_size=64)], 1.0),
        ([record(1.0, precision="float32"), record(2.0, model="DiT-micro-S/4")], 1.0),
    ],
)
def test_the_benchmark_of_the_nearest_settings_is_used(
    asking: Plan, records: list[dict[str, object]], expected: float
) -> None:
    found = rates([], cuda=False, benchmarks=map(codec.benchmark, records), plan=asking)
    assert rate(found, training(asking)) == pytest.approx(expected)


def test_a_model_without_a_benchmark_takes_the_nearest_of_the_others(asking: Plan) -> None:
    other = {"model": "DiT-micro-B/8"}
    records = [record(2.0), record(4.0, **other), record(9.0, **other, checkpointing=True)]
    found = rates([], cuda=False, benchmarks=map(codec.benchmark, records), plan=asking)
    assert rate(found, training(asking, "XL/2"), "DiT-micro-XL/2") == pytest.approx(3.0)


def test_what_was_committed_goes_before_a_benchmark_of_another_precision(asking: Plan) -> None:
    measured = Measured(5.0, gflops=1.0, model="DiT-micro-S/8", device="EPYC")
    for precision, expected in (("bf16", 1.0), ("float32", 5.0)):
        records = [record(1.0, precision=precision)]
        found = rates(
            [("train", measured)], cuda=False, benchmarks=map(codec.benchmark, records), plan=asking
        )
        assert rate(found, training(asking)) == pytest.approx(expected)


def test_plan_says_in_what_a_benchmark_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench").mkdir()
    command = ["plan", "studies/scaling.yaml", "--profile", "smoke", "--results", str(tmp_path)]
    for number, setting in enumerate(({"batch_size": 2}, {"tf32": False, "compile": False})):
        content = record(1.0, precision="float32", checkpointing=bool(number == 0), **setting)
        (tmp_path / "bench" / f"{number}.json").write_text(json.dumps(content))
        assert main(command) == 0
        gc.enable()  # the command disables it
        said = capsys.readouterr().out
        words = "train DiT-micro-S/8: compile on, not off; checkpointing on, not off; tf32 on, "
        words += "not off; batch_per_device 2, not 16\n"
        assert (f"estimated with a benchmark of other settings: {words}" in said) == (number == 0)
    assert "a benchmark of other settings" not in said


def test_a_steps_batch_is_spread_over_the_processes_of_its_job() -> None:
    overrides = ["matrix.axes={model.size: [S], model.patch_size: [8]}"]
    plan = make_plan(load_study("studies/scaling.yaml", "imagenet256", overrides))
    asked = Speed("bf16", compile=True, checkpointing=False, tf32=True, batch_per_device=256 // 8)
    assert Speed.of_stage(training(plan), plan) == asked
