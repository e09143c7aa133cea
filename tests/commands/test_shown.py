"""Images in a report: samples that were all drawn in one way, real ones, grids of one class."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from opened import opened

from harness.commands import shown
from harness.commands.common import Opened
from harness.stages.samples import write_strip
from harness.store.pruned import prune


def sampled(study: Opened, measurement: Any, value: int) -> None:
    """Commit the samples of one measurement: four images of one gray."""
    staging = study.store.staging(measurement.sample)
    images = np.full((4, 8, 8, 1), value, np.uint8)
    np.savez(staging / "samples.npz", arr_0=images)
    study.store.commit("sample", measurement.sample, staging, {}, {}, {})


def test_shown_samples_are_all_drawn_in_one_way(tmp_path: Path) -> None:
    evaluations = {
        "final": {"at": "end", "sampling_steps": 2, "samples": 40, "split_size": 40},
        "guided": {
            "at": "milestones",
            "sampling_steps": 3,
            "samples": 40,
            "split_size": 40,
            "guidance": {"scale": 4, "channels": 1},
        },
    }
    study = opened(tmp_path, evaluations=evaluations)
    by = {(m.run, m.evaluation, m.step): m for m in study.plan.measurements}
    assert shown.samples(study) == ({}, "", {})
    sampled(study, by[0, "final", 6], 10)
    sampled(study, by[0, "guided", 3], 20)
    sampled(study, by[0, "guided", 6], 30)
    grids, how, steps = shown.samples(study)
    assert {k: int(v.max()) for k, v in grids.items()} == {"DiT-micro-S/8": 10}
    assert how == "2 steps, no guidance" and steps == {"DiT-micro-S/8": 6}
    sampled(study, by[1, "guided", 6], 40)  # now both runs were sampled so
    grids, how, steps = shown.samples(study)
    assert {k: int(v.max()) for k, v in grids.items()} == {"DiT-micro-S/8": 30, "DiT-micro-B/8": 40}
    assert how == "3 steps, guidance 4 on 1 channel"


def test_real_images_and_grids_of_a_class_come_from_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [{"label": 1, "guidance": 1.0, "images": 2}, {"label": 9, "guidance": 7.0}]
    study = opened(tmp_path, report={"sections": ["samples"], "grids": asked, "samples_shown": 4})
    images, how = shown.real(study)
    assert images is not None and images.shape[0] == 4 and images.dtype == np.uint8
    assert how.startswith("images of glyphs")
    assert [g.images for g in shown.grids(study)] == [None, None]
    measurement = study.plan.measurements[0]
    staging = study.store.staging(measurement.sample)
    pixels = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    np.savez(staging / "samples.npz", arr_0=pixels, labels=np.array([0, 1, 0, 1, 1, 0]))
    study.store.commit("sample", measurement.sample, staging, {}, {}, {})
    one, other = shown.grids(study)
    assert one.images is not None and one.images[:, 0, 0, 0].tolist() == [1, 3]
    assert one.name == "class 1"  # glyphs' names are their labels
    assert (one.run, one.step) == ("DiT-micro-S/8", measurement.step)
    named = SimpleNamespace(class_names=["cat", "dog"])
    monkeypatch.setattr(shown, "_training", lambda *given: named)
    assert [g.name for g in shown.grids(study)] == ["class 1 (dog)", "class 9"]

    def gone(*given: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr(shown, "_training", gone)
    assert [g.name for g in shown.grids(study)] == ["class 1", "class 9"]
    assert other.images is None and "no samples at this guidance" in other.why


def test_a_grid_says_which_channels_were_guided_and_may_name_its_evaluation(
    tmp_path: Path,
) -> None:
    asked = [{"label": 1, "guidance": 4.0}, {"label": 1, "guidance": 4.0, "evaluation": "whole"}]
    evaluation = {"at": "end", "sampling_steps": 3, "samples": 6, "metrics": ["fd"]}
    study = opened(
        tmp_path,
        report={"sections": ["samples"], "grids": asked},
        evaluations={
            "some": {**evaluation, "guidance": {"scale": 4.0, "channels": 1}},
            "whole": {**evaluation, "guidance": {"scale": 4.0, "channels": None}},
        },
    )
    for measurement in study.plan.measurements:
        pixels = np.full((6, 8, 8, 3), 7 if measurement.evaluation == "some" else 8, np.uint8)
        staging = study.store.staging(measurement.sample)
        np.savez(staging / "samples.npz", arr_0=pixels, labels=np.ones(6, np.int64))
        study.store.commit("sample", measurement.sample, staging, {}, {}, {})
    one, other = shown.grids(study)
    assert one.images is not None and one.images.max() == 7 and "1 channel guided" in one.how
    assert other.images is not None and other.images.max() == 8
    assert other.how.endswith("3 steps, all channels guided")
    assert shown.samples(study)[1] == "3 steps, guidance 4 on all channels"


def test_strips_are_of_every_milestone_and_outlive_pruning(tmp_path: Path) -> None:
    study = opened(tmp_path)
    by = {(m.run, m.step): m for m in study.plan.measurements}
    assert shown.strips(study) == ({}, "")
    for (run, step), measurement in by.items():
        if (run, step) != (1, 3):
            strip_of(study, measurement, 10 * run + step)
    found, how = shown.strips(study)
    assert {k: sorted(v) for k, v in found.items()} == {"DiT-micro-S/8": [3, 6]}  # one is no strip
    assert how == "2 steps, no guidance"
    strip_of(study, by[1, 3], 13)
    for measurement in by.values():
        prune(study.store, "sample", measurement.sample)
        assert not (study.store.folder("sample", measurement.sample) / "samples.npz").exists()
    found, _ = shown.strips(study)
    gray = {k: {step: int(x.max()) for step, x in v.items()} for k, v in found.items()}
    assert gray == {"DiT-micro-S/8": {3: 3, 6: 6}, "DiT-micro-B/8": {3: 13, 6: 16}}


def strip_of(study: Opened, measurement: Any, value: int) -> None:
    """Commit the samples of one measurement with their strip, as the sample stage does."""
    staging = study.store.staging(measurement.sample)
    images = np.full((12, 8, 8, 1), value, np.uint8)
    np.savez(staging / "samples.npz", arr_0=images)
    write_strip(staging, [images])
    study.store.commit("sample", measurement.sample, staging, {}, {}, {})
