"""`bench`: a record that `plan` reads, and sizes that nothing can be measured with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.diffusion.feeding import HostRates
from harness.plan import estimate
from harness.store import codec


@pytest.mark.slow
def test_the_command_stores_a_record_that_the_estimate_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--model", "DiT-micro-S/4", "--steps", "2", "--results", str(tmp_path), "--json"]
    assert main(["bench", "train", "--device", "cpu", *given]) == 0
    printed = json.loads(capsys.readouterr().out)
    (record,) = estimate.read_benchmarks(tmp_path)
    assert record == codec.benchmark(printed) and record.model == "DiT-micro-S/4"


@pytest.mark.slow
def test_what_the_host_can_feed_is_shown_for_sampling_beside_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = HostRates(2, 22_000.0, 37_400.0, 9_000.0, 15_480.0)
    monkeypatch.setattr("harness.diffusion.feeding.host_rates", lambda shape: rates)
    given = ["--model", "DiT-micro-S/4", "--steps", "1", "--results", str(tmp_path)]
    assert main(["bench", "sample", "--device", "cpu", *given]) == 0
    said = capsys.readouterr().out
    assert "2.2e+04 images x steps/s drawn by the caller, 3.74e+04 ahead by 2 threads" in said
    assert "9e+03 images/s drawn by the caller, 1.55e+04 ahead by 2 threads (1.72 times)" in said


def test_no_steps_are_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "train", "--steps", "0"]) == 2
    assert "--steps must be at least 1" in capsys.readouterr().err
