"""Floors and ceilings are measured by the code that measures samples."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.plan.stages import FloorStage
from harness.stages.beside import OF, measured_beside

LEFT = {"split": "floor", "k": 3, "split_size": 20, "subsets": 1}


def measured(
    prepared: Any, metrics: tuple[str, ...], **changes: Any
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    task = prepared.task("reference")
    work: Any = SimpleNamespace(
        task=SimpleNamespace(key="f" * 64, inputs={"reference": task.key}),
        inputs={"reference": prepared.store.open("reference", task.key)},
        place=replace(task.place, batch_size=7),
        device="cpu",
        progress=lambda **_: None,
    )
    settings = FloorStage(images=20, metrics=metrics, **{**LEFT, **changes})
    draws = np.random.default_rng(0)
    images = (draws.integers(0, 256, (10, 8, 8, 1), dtype=np.uint8) for _ in range(2))
    return measured_beside(settings, work, images, 20, {"of": "floor", "samples": 20})


@pytest.mark.slow
def test_each_metric_has_a_row_that_says_of_what_it_is(prepared: Any) -> None:
    rows, absent = measured(prepared, ("fd", "precision"))
    assert absent == {}
    assert [row["metric"] for row in rows] == ["fd_glyphs_cnn", "precision_glyphs_cnn"]
    for row in rows:
        assert row["of"] == "floor"
        assert row["key"] == "f" * 64
        assert row["reference_key"] == prepared.task("reference").key
    assert rows[0]["value"] > 0


def test_a_metric_that_cannot_be_computed_is_named_with_its_reason(
    prepared: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, absent = measured(prepared, ("fd", "precision"), k=30)
    assert [row["metric"] for row in rows] == ["fd_glyphs_cnn"]
    (name,) = absent
    assert name.startswith("precision")
    assert f"{name} of {OF['floor']} is not measured: {absent[name]}" in capsys.readouterr().out
