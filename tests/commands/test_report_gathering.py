"""What a report is made of: the study's own names, one way of sampling, and nothing stale."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tiny_study import TINY

from harness.commands import common, report, results
from harness.commands.common import Opened
from harness.store import codec, records
from harness.store.results import ComplexityResult


def opened(folder: Path, overrides: tuple[str, ...] = (), **changes: Any) -> Opened:
    study = {**yaml.safe_load(TINY), **changes}
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(study))
    results_folder = str(folder / "results")
    return common.open_study(
        argparse.Namespace(
            study=str(path), profile=None, overrides=list(overrides), results=results_folder
        )
    )


def sampled(study: Opened, measurement: Any, value: int) -> None:
    """Commit the samples of one measurement: four images of one gray."""
    staging = study.store.staging(measurement.sample)
    images = np.full((4, 8, 8, 1), value, np.uint8)
    np.savez(staging / "samples.npz", arr_0=images)
    study.store.commit("sample", measurement.sample, staging, {}, {}, {})


def test_an_old_report_is_kept_only_if_all_that_it_shows_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = report.report_key(opened(tmp_path))
    assert report.report_key(opened(tmp_path)) == one
    others = [
        opened(tmp_path, ("train.log_every=3",)),  # the command in the provenance
        opened(tmp_path, title="Another title"),
        opened(tmp_path, report={"sections": ["headline"]}),
    ]
    keys = [report.report_key(other) for other in others]
    standing = Opened.standing

    def failed(self: Opened) -> Any:
        state = standing(self)
        return dataclasses.replace(state, failed={state.missing[0].key: None})

    monkeypatch.setattr(Opened, "standing", failed)  # the first page says so
    keys.append(report.report_key(opened(tmp_path)))
    assert len({one, *keys}) == 5


def test_records_bear_the_names_of_the_study_that_shows_them(tmp_path: Path) -> None:
    """Whoever trained a checkpoint first wrote its name for it."""
    study = opened(tmp_path)
    m = study.plan.measurements[0]
    row = {"model": "mine-2x32x2/8", "family": "mine", "size": None, "of": "samples"}
    metric = {**row, "key": m.evaluate, "checkpoint_key": m.checkpoint, "metric": "fd", "value": 1}
    floor = {"key": "f" * 64, "metric": "fd", "value": 0.1, "of": "floor"}
    records.write(study.store.root, "metrics", m.evaluate, [metric])
    records.write(study.store.root, "metrics", "f" * 64, [floor])  # of another study
    run = {k: v for k, v in row.items() if k != "of"} | {"key": m.checkpoint}
    records.write(study.store.root, "runs", m.checkpoint, [run])
    training = {"key": m.checkpoint, "model": "mine-2x32x2/8", "step": 3}
    records.write(study.store.root, "training", m.checkpoint, [training])
    frames = results.frames_of(study)
    for name in ("metrics", "runs"):
        named = frames[name][["model", "family", "size"]].to_numpy().tolist()
        assert named == [["DiT-micro-S/8", "DiT-micro", "S"]]
    assert frames["training"]["model"].tolist() == ["DiT-micro-S/8"]


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
    assert report._samples(study) == ({}, "")
    sampled(study, by[0, "final", 6], 10)
    sampled(study, by[0, "guided", 3], 20)
    sampled(study, by[0, "guided", 6], 30)
    grids, how = report._samples(study)
    assert {k: int(v.max()) for k, v in grids.items()} == {"DiT-micro-S/8": 10}
    assert how == "2 steps, no guidance"
    sampled(study, by[1, "guided", 6], 40)  # now both runs were sampled so
    grids, how = report._samples(study)
    assert {k: int(v.max()) for k, v in grids.items()} == {"DiT-micro-S/8": 30, "DiT-micro-B/8": 40}
    assert how == "3 steps, guidance 4"


def test_the_recipe_in_the_provenance_is_that_of_every_run(tmp_path: Path) -> None:
    axes = {"model.size": ["S"], "model.patch_size": [8], "train.learning_rate": [1e-3, 2e-3]}
    study = opened(tmp_path, matrix={"axes": axes})
    made = report._provenance(study, results.frames_of(study), [], "")
    assert made["recipe"]["learning_rate"] == [1e-3, 2e-3] and made["recipe"]["steps"] == 6


def test_versions_are_those_recorded_with_the_numbers(tmp_path: Path) -> None:
    study = opened(tmp_path)
    for i, version in enumerate(("1.0", "2.0")):
        m = study.plan.measurements[i]
        row = {"key": m.evaluate, "checkpoint_key": m.checkpoint, "metric": "fd", "of": "samples"}
        row["measured_with"] = f'{{"versions":{{"numpy":"{version}","scipy":"9"}}}}'
        records.write(study.store.root, "metrics", m.evaluate, [row])
    made = report._provenance(study, results.frames_of(study), [], "")
    assert made["versions"] == {"numpy": ["1.0", "2.0"], "scipy": "9"}


def test_the_papers_gflops_stand_beside_networks_on_its_latents_alone(tmp_path: Path) -> None:
    """DiT-S/8 on 256 x 256 pixels is another network than the paper's, by any count."""
    counted = ComplexityResult("mine", gflops=1.0, gflops_paper=1.0, params=1, tokens=1)
    for autoencoder, channels, side, expected in (
        ("identity", 3, 256, None),
        ("sd-vae", 4, 32, 0.36),
    ):
        (tmp_path / autoencoder).mkdir()
        study = opened(
            tmp_path / autoencoder,
            data={"name": "glyphs", "image_size": 256, "channels": 3, "train_images": 64},
            autoencoder={"name": autoencoder},
            model={"family": "DiT"},
        )
        key = next(k for k, s in study.plan.stages.items() if s.kind == "complexity")
        shape = {"block": "adaln-zero", "channels": channels, "input_size": side}
        told = codec.told(dataclasses.replace(counted, architecture=shape))
        study.store.commit("complexity", key, study.store.staging(key), {}, told, {})
        (row,) = report._complexity(study)
        assert row["model"] == "DiT-S/8" and row["paper_gflops"] == expected
