"""The settings that a report's method section has of a study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
from opened import opened

import harness
from harness.commands import made, results
from harness.commands.made import settings_of
from harness.dispatch.ledger import Attempt
from harness.plan import make_plan
from harness.store import records


def settings(profile: str) -> dict[str, Any]:
    opened: Any = SimpleNamespace(study=harness.load_study("scaling", profile))
    return settings_of(opened, {"metrics": pd.DataFrame({"extractor": ["glyphs-cnn"]})})


def test_an_objective_is_told_with_what_differs_from_its_defaults() -> None:
    laptop = settings("laptop")
    assert laptop["objective"].startswith("flow (prediction data, time logit-normal")
    assert settings("smoke")["objective"] == "ddpm"


def test_a_rate_that_is_scaled_by_the_width_says_the_width_that_it_is_of() -> None:
    assert settings("laptop")["base_width"] == "96"
    assert "base_width" not in settings("smoke")


def test_the_recipe_in_the_provenance_is_that_of_every_run(tmp_path: Path) -> None:
    axes = {"model.size": ["S"], "model.patch_size": [8], "train.learning_rate": [1e-3, 2e-3]}
    study = opened(tmp_path, matrix={"axes": axes})
    found = made.provenance_of(study, results.frames_of(study), [], "")
    assert found["learning_rate"] == ["0.001", "0.002"] and found["steps"] == 6
    assert found["axis train.learning_rate"] == ["0.001", "0.002"]
    assert found["label_dropout"] == 0.1 and found["optimizer"] == "adamw"
    assert found["image_size"] == 8 and found["flip"] == "no"


def test_versions_are_those_recorded_with_the_numbers(tmp_path: Path) -> None:
    study = opened(tmp_path)
    for i, version in enumerate(("1.0", "2.0")):
        m = study.plan.measurements[i]
        row = {"key": m.evaluate, "checkpoint_key": m.checkpoint, "metric": "fd", "of": "samples"}
        row["measured_with"] = f'{{"versions":{{"numpy":"{version}","scipy":"9"}}}}'
        records.write(study.store.root, "metrics", m.evaluate, [row])
    found = made.provenance_of(study, results.frames_of(study), [], "")
    assert found["versions"] == {"numpy": ["1.0", "2.0"], "scipy": "9"}


def test_gpu_hours_are_a_tasks_time_by_its_gpus_where_the_study_can_be_planned() -> None:
    plan = make_plan(harness.load_study("scaling", "imagenet256"))
    train = next(s for s in plan.stages.values() if s.kind == "train")
    first = Attempt("1", train.key, "train", "train x", "log", "host", 1, 0.0, ran=1800.0)
    queued = replace(first, state="done", batch="harness-train-1", index=0)
    lost = replace(queued, id="2", state="stopped")
    here = replace(first, id="3", state="done")
    history = {train.key: [queued, lost, here]}
    (row,) = made.spent(history, plan)
    assert (row.kept, row.lost, row.kept_gpu_hours, row.lost_gpu_hours) == (3600, 1800, 4.0, 4.0)
    (row,) = made.spent(history)
    assert (row.kept, row.kept_gpu_hours, row.lost_gpu_hours) == (3600, 0, 0)


def test_energy_and_gpus_are_added_up_with_of_how_many_attempts_they_are_known() -> None:
    read = Attempt(
        "1", "k", "train", "train x", "log", "host", 1, 0.0, "done",
        ran=3600.0, devices=2, joules=7.2e6,
    )  # fmt: skip
    tried = [
        read,
        replace(read, id="2", state="again", joules=1.8e6),
        replace(read, id="3", joules=None),  # NVML failed
        replace(read, id="4", devices=None, joules=None),  # of an earlier version
        replace(read, id="5", state="running", ran=None, devices=None, joules=None),
        replace(read, id="6", state="stopped", ran=0.0, devices=None, joules=None),  # never began
    ]
    counts = replace(read, id="7", kind="complexity", devices=0, joules=None)
    complexity, train = made.spent({"k": tried, "c": [counts]})
    assert (train.attempts, train.on_gpus, train.unknown, train.read) == (6, 4, 1, 2)
    assert (train.kept_gpu_hours, train.lost_gpu_hours) == (4.0, 2.0)
    assert (train.kept_kwh, train.lost_kwh) == (2.0, 0.5)
    assert (complexity.on_gpus, complexity.unknown, complexity.read) == (0, 0, 0)
    assert complexity.kept_kwh is None and complexity.lost_kwh is None
