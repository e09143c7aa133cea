"""The complexity stage: what one forward pass costs."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.components.family import of_architecture
from harness.errors import BadInput
from harness.models import complexity as count
from harness.models.counting import count_family
from harness.plan import keys
from harness.plan.stages import ComplexityStage
from harness.stages.complexity import run
from harness.store.results import ComplexityResult


def test_the_network_of_the_study_is_counted_and_named(prepared: Any) -> None:
    task = prepared.task("complexity")
    result = prepared.result(task)
    assert isinstance(result, ComplexityResult)
    assert result.architecture == json.loads(task.settings)["architecture"]
    assert result.tokens == (8 // 4) ** 2
    assert 0 < result.gflops <= result.gflops_paper
    assert result.model == task.place.model


def test_a_formula_that_is_not_what_is_counted_is_refused(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = prepared.task("complexity")
    family, given = of_architecture(json.loads(task.settings)["architecture"])
    counted = count_family(family, given).gflops
    for stated, refused in ((2 * counted, True), (counted * (1 + 1e-9), False), (None, False)):
        monkeypatch.setattr(type(family), "gflops", lambda self, given, stated=stated: stated)
        stage, work = ComplexityStage(architecture=family.architecture(given)), SimpleNamespace()
        work.place = task.place
        if refused:
            with pytest.raises(BadInput, match=r"its contract: gflops gave .* is counted at"):
                run(stage, work)  # type: ignore[arg-type]
        else:
            assert run(stage, work).result.gflops == counted  # type: ignore[arg-type, union-attr]


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
