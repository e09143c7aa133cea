"""The complexity stage: what one forward pass costs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.models import complexity as count
from harness.plan import keys
from harness.store.results import ComplexityResult


def test_the_network_of_the_study_is_counted_and_named(prepared: Any) -> None:
    task = prepared.task("complexity")
    result = prepared.result(task)
    assert isinstance(result, ComplexityResult)
    assert result.architecture == json.loads(task.settings)["architecture"]
    assert result.tokens == (8 // 4) ** 2
    assert 0 < result.gflops <= result.gflops_paper
    assert result.model == task.place.model


@pytest.mark.slow
def test_a_baseline_is_counted_by_its_name(laboratory: Any) -> None:
    text = keys.canonical({"architecture": None, "baseline": "LDM-8"})
    key = keys.stage_key("complexity", text, {})
    task = replace(laboratory.task("complexity"), settings=text, key=key)
    assert laboratory.run(task)
    result = laboratory.result(task)
    assert result.model == "LDM-8" and result.architecture is None
    assert result.gflops == pytest.approx(count("LDM-8").gflops)
    assert 50 < result.gflops < 65  # the paper's Table 5: 57
