"""The README of the studies says what costs.py computes, which knows how many files there are."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import warm
from tiny_study import TINY

from harness.plan import make_plan
from harness.spec import load_study

STUDIES = Path(__file__).resolve().parents[2] / "studies"


@pytest.fixture(scope="module")
def costs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("costs", STUDIES / "costs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_readmes_tables_are_those_of_the_studies(costs: ModuleType) -> None:
    text = (STUDIES / "README.md").read_text()
    assert costs.filled(text) == text, "run: python studies/costs.py --write"


def test_hours_and_their_rounding(costs: ModuleType) -> None:
    # one H100 at 40 % of 989 Tflop/s: 10^18 products are 2 x 10^18 operations
    assert costs.hours(1.0, "H100") == pytest.approx(2e18 / (0.4 * 989e12) / 3600)
    said = [costs.rounded(x) for x in (0.0, 0.34, 4.46, 13.5, 623.4, 9932.0, 1944.0)]
    assert said == ["0", "0.3", "4.5", "14", "620", "9,900", "1,900"]


@pytest.mark.slow
def test_a_checkpoint_is_twenty_bytes_a_parameter(costs: ModuleType) -> None:
    plan = make_plan(load_study(STUDIES / "scaling.yaml", "imagenet256"))
    largest = max(costs.gigabytes(plan, s) for s in plan.stages.values() if s.kind == "train")
    assert largest == pytest.approx(675.1e6 * 20 / 1e9, rel=1e-3)  # DiT-XL/2


@pytest.mark.slow
def test_a_real_run_leaves_as_many_files_as_are_reckoned_with(
    costs: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    words = [warm.python(), "-m", "harness", "run", "tiny.yaml", "--no-report"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=500)
    results = tmp_path / "results"
    plan = make_plan(load_study(tmp_path / "tiny.yaml"))
    for stage in plan.stages.values():
        folder = results / "artifacts" / stage.kind / stage.key
        beside = costs.BESIDE + costs.RECORDS.get(stage.kind, 0)
        found = sum(path.is_file() for path in folder.rglob("*"))
        assert found + beside == costs.files(plan, stage), stage.label
    everything = sum(path.is_file() for path in results.rglob("*"))
    # At its end `run` merges the record fragments: fewer files then, and a handful beside them.
    reckoned = sum(costs.files(plan, stage) for stage in plan.stages.values())
    fragments = sum(costs.RECORDS.get(stage.kind, 0) for stage in plan.stages.values())
    assert reckoned - fragments <= everything <= reckoned
