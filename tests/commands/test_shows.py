"""`plan` says the smallest difference that a study's seeds and samples can show."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.analysis.power import smallest_difference
from harness.commands import common, shows
from harness.store import records

STUDY: dict[str, Any] = {
    "study": "tiny",
    "data": {"name": "glyphs", "image_size": 8, "channels": 1, "train_images": 100},
    "model": {"family": "DiT-micro", "patch_size": 8},
    "train": {"steps": 6, "batch_size": 4},
    "reference": {"extractor": "glyphs-cnn", "images": 40, "extractor_images": 40,
                  "recall_images": 20},
    "evaluations": {"final": {"sampling_steps": 2, "samples": 40, "split_size": 40}},
    "profiles": {"laptop": {}},
}  # fmt: skip


def opened(folder: Path, axes: dict[str, Any]) -> common.Opened:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "matrix": {"axes": axes}}))
    return common.open_study(
        argparse.Namespace(
            study=str(path), profile=None, overrides=[], results=str(folder / "results")
        )
    )


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_seeds_decide_what_can_be_shown(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    found = shows.smallest(opened(tmp_path, {"model.size": ["S", "B"], "seed": list(seeds)}))
    assert found is not None
    assert (found["seeds"], found["configurations"], found["comparisons"]) == (len(seeds), 2, 1)
    assert found["times"] == pytest.approx(smallest_difference(1.0, len(seeds)))
    assert found["spread"] is None
    text = shows.sentence(found)
    assert ("these checkpoints" in text) == (len(seeds) == 1) and "80% power" in text


def test_one_model_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    assert shows.smallest(opened(tmp_path, {"model.size": ["S"], "seed": [0, 1]})) is None


def test_what_is_recorded_turns_it_into_a_share_of_the_value(tmp_path: Path) -> None:
    study = opened(tmp_path, {"model.size": ["S", "B"]})
    for i, m in enumerate(study.plan.measurements):
        staging = study.store.staging(m.evaluate)
        (staging / "kept").write_text("")
        study.store.commit("evaluate", m.evaluate, staging, {}, {}, {})
        row = {"key": m.evaluate, "metric": "fd_glyphs_cnn", "of": "samples", "value": 10.0 + i,
               "std": 0.1 * (10.0 + i), "gflops": 1.0 + i, "model": str(i), "run": str(i),
               "seed": 0, "step": 6}  # fmt: skip
        records.write(study.store.root, "metrics", m.evaluate, [row])
    found = shows.smallest(study)
    assert found is not None and found["spread"] == pytest.approx(0.1)
    assert found["share"] == pytest.approx(0.1 * found["times"])
    assert "% of the value by what is recorded here" in shows.sentence(found)
