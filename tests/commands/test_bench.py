"""`bench`: a record that `plan` reads, and sizes that nothing can be measured with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.plan import estimate
from harness.store import codec


def test_the_command_stores_a_record_that_the_estimate_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--model", "DiT-micro-S/4", "--steps", "2", "--results", str(tmp_path), "--json"]
    assert main(["bench", "train", "--device", "cpu", *given]) == 0
    printed = json.loads(capsys.readouterr().out)
    (record,) = estimate.read_benchmarks(tmp_path)
    assert record == codec.benchmark(printed) and record.model == "DiT-micro-S/4"


def test_no_steps_are_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "train", "--steps", "0"]) == 2
    assert "--steps must be at least 1" in capsys.readouterr().err
