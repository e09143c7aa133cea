"""Lengths of training that share a trunk: planned once, keyed by content, the same to the bit."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from harness.plan import make_plan
from harness.plan.plan import Plan
from harness.spec import load_study
from harness.stages.execute import execute
from harness.store import Store

STUDY = """\
study: trunks
title: Lengths
about: A study for tests.
data: {{name: glyphs, image_size: 8, channels: 1, train_images: 64}}
model: {{family: DiT-micro, size: S, patch_size: 8}}
train:
  steps: 8
  batch_size: 8
  learning_rate: 1e-2
  ema: 0.9
  schedule: {schedule}
reference: {{extractor: glyphs-cnn, extractor_images: 100, extractor_steps: 4, images: 60}}
evaluations:
  final: {{at: {at}, sampling_steps: 2, samples: 40, split_size: 40, batch_size: 20}}
matrix:
  axes: {{train.steps: {steps}}}
dispatch: {{executor: local, device: cpu}}
profiles: {{laptop: {{}}}}
"""
WSD = "{name: wsd, decay: 0.25, warmup: 2}"


def planned(folder: Path, steps: list[int], schedule: str = WSD, at: str = "end") -> Plan:
    path = folder / "trunks.yaml"
    path.write_text(textwrap.dedent(STUDY.format(steps=steps, schedule=schedule, at=at)))
    return make_plan(load_study(path))


def trained(plan: Plan) -> dict[str, str | None]:
    """label -> label of the stage that it goes on from."""
    stages = [s for s in plan.stages.values() if s.kind == "train"]
    labels = {s.key: s.label.rsplit(" to ")[-1] for s in stages}
    return {labels[s.key]: labels.get(s.after.get("previous", "")) for s in stages}


def test_one_trunk_serves_every_length_whatever_their_order(tmp_path) -> None:
    chain = {
        "6 (trunk)": None,
        "8": "6 (trunk)",
        "12 (trunk)": "6 (trunk)",
        "16": "12 (trunk)",
        "24 (trunk)": "12 (trunk)",
        "32": "24 (trunk)",
    }
    assert trained(planned(tmp_path, [8, 16, 32])) == chain
    assert trained(planned(tmp_path, [32, 8, 16])) == chain


def test_the_saving_is_that_of_the_steps_not_trained_twice(tmp_path) -> None:
    plan = planned(tmp_path, [8, 16, 32])
    per_step = plan.apart_gflops / (8 + 16 + 32)
    assert plan.branched_gflops / per_step == pytest.approx(24 + 2 + 4 + 8)
    gflops = sum(s.gflops or 0 for s in plan.stages.values() if s.kind == "train")
    assert gflops == pytest.approx(plan.branched_gflops)


def test_a_stage_of_the_trunk_is_keyed_without_the_length_and_a_tail_with_it(tmp_path) -> None:
    plan = planned(tmp_path, [8, 32])
    texts = {s.label.rsplit(" to ")[-1]: s.settings for s in plan.stages.values()}
    assert '"horizon"' not in texts["6 (trunk)"]
    assert '"horizon":8' in texts["8"]
    assert '"horizon":32' in texts["32"]
    keys = {s.key for s in plan.stages.values()}
    alone = planned(tmp_path, [32])
    assert {s.key for s in alone.stages.values() if "trunk" not in s.label} <= keys


def test_what_is_sampled_on_the_trunk_is_shared_and_on_a_tail_is_not(tmp_path) -> None:
    plan = planned(tmp_path, [8, 32], at="[4, 8]")
    assert trained(plan) == {
        "4 (trunk)": None,
        "6 (trunk)": "4 (trunk)",
        "8": "6 (trunk)",
        "8 (trunk)": "6 (trunk)",
        "24 (trunk)": "8 (trunk)",
        "32": "24 (trunk)",
    }
    steps = {(m.run, m.step): m.checkpoint for m in plan.measurements}
    assert steps[0, 4] == steps[1, 4]
    assert steps[0, 8] != steps[1, 8]


@pytest.mark.parametrize("schedule", ["constant", "{name: cosine, warmup: 2}"])
def test_schedules_without_a_branch_have_no_trunk(tmp_path, schedule) -> None:
    plan = planned(tmp_path, [8, 16], schedule)
    assert trained(plan) == {"8": None, "16": None}
    assert plan.apart_gflops == plan.branched_gflops == 0


@pytest.mark.slow
def test_a_branch_ends_to_the_bit_where_its_own_training_does(tmp_path) -> None:
    ends = []
    for name, steps in (("together", [8, 16]), ("alone", [16])):
        store = Store(tmp_path / name)
        plan = planned(tmp_path, steps)
        for stage in plan.stages.values():
            if stage.kind in ("encode", "complexity", "train"):
                execute(plan.task(stage), store)
        last = next(s for s in plan.stages.values() if s.label.endswith("to 16"))
        artifact = store.open("train", last.key)
        assert artifact is not None
        ends.append((last.key, artifact.file("ema.safetensors").read_bytes()))
    assert ends[0] == ends[1]
