"""Plans: which stages a study needs, once each, in an order that can be run."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.plan import make_plan
from harness.plan.build import Imported
from harness.plan.cost import dit_gflops
from harness.plan.plan import Plan
from harness.plan.stages import Task
from harness.spec import load_study

SCALING = Path("studies/scaling.yaml")


@pytest.fixture(scope="module")
def paper() -> Plan:
    return make_plan(load_study(SCALING, "imagenet256"))


def test_a_sampling_sweep_trains_each_model_once(paper: Plan) -> None:
    runs = {i for i, _ in enumerate(paper.study.runs)}
    last = [s for s in paper.stages.values() if s.kind == "train" and s.label.endswith("400,000")]
    assert len(runs) == len(last) == 12
    sweep = [m for m in paper.measurements if m.evaluation == "sampling-compute"]
    assert len(sweep) == 72
    assert {m.checkpoint for m in sweep} == {s.key for s in last}


def test_every_stage_comes_after_what_it_needs(paper: Plan) -> None:
    seen: set[str] = set()
    for key, stage in paper.stages.items():
        assert stage.needs <= seen
        seen.add(key)


def test_milestones_form_a_chain_and_their_cost_adds_up_to_the_whole(paper: Plan) -> None:
    xl2 = [
        s
        for s in paper.stages.values()
        if s.kind == "train" and s.label.startswith("train DiT-XL/2")
    ]
    assert len(xl2) == 8
    for before, after in itertools.pairwise(xl2):
        assert after.after["previous"] == before.key
    gflops = dit_gflops(28, 1152, 2, 32, 4)
    total = sum(s.gflops or 0 for s in xl2)
    assert total == pytest.approx(gflops * 256 * 400_000 * 3)


def test_a_checkpoints_key_does_not_depend_on_the_milestones_before_it(paper: Plan) -> None:
    longer = make_plan(
        load_study(
            SCALING, "imagenet256", ["train.steps=7000000", "train.milestones=[400000, 7000000]"]
        )
    )
    shared = paper.stages.keys() & longer.stages.keys()
    kinds = Counter(paper.stages[k].kind for k in shared)
    assert kinds["train"] == 12  # the checkpoints at 400,000


def test_evaluations_that_ask_for_the_same_thing_share_it() -> None:
    plan = make_plan(load_study(SCALING, "laptop"))
    last = {run: max(m.step for m in plan.measurements if m.run == run) for run in range(12)}
    swept = {
        (m.run, m.sampling_steps): m.evaluate
        for m in plan.measurements
        if m.evaluation == "sampling-compute"
    }
    shared = 0
    for m in plan.measurements:
        if m.evaluation == "over-training" and m.step == last[m.run]:
            assert m.evaluate == swept[m.run, m.sampling_steps]
            shared += 1
    assert shared == 12


def test_the_default_study_asks_for_what_was_measured_to_take_ten_minutes_on_two_cores() -> None:
    """1,070 s of CPU time for 16.3 Tflops (studies/README.md); more would be more than it says."""
    plan = make_plan(load_study(SCALING))
    tflops: defaultdict[str, float] = defaultdict(float)
    for stage in plan.stages.values():
        tflops[stage.kind] += (stage.gflops or 0.0) / 1000
    assert 10 < tflops["train"] < 12.5 and tflops["train"] + tflops["sample"] < 17
    sides = {run.data.image_size // run.model.facts["patch_size"] for run in plan.study.runs}
    assert sides == {2, 4, 8}  # 4, 16 and 64 tokens: a quarter of the paper's


def test_only_keeps_what_the_matches_need_and_skip_drops_what_needs_them(paper: Plan) -> None:
    kinds = Counter(s.kind for s in paper.select(only=["complexity"]))
    assert kinds == {"complexity": 12}
    one = paper.select(only=["train DiT-S/8 to 100,000"])
    assert Counter(s.kind for s in one) == {"complexity": 1, "encode": 1, "train": 2}
    rest = paper.select(skip=["sample"])
    assert {s.kind for s in rest} == {"complexity", "encode", "train", "reference", "ceiling"}
    key = next(k for k, s in paper.stages.items() if s.kind == "reference")
    assert [s.kind for s in paper.select(only=[key[:12]])] == ["reference"]
    none = paper.select(only=["no such thing"])
    assert none == []


@pytest.mark.slow
def test_ten_thousand_runs_are_planned(tmp_path: Path) -> None:
    """How fast is a benchmark's: tests/benchmarks/test_plan_speed.py."""
    command = [*many_runs(tmp_path), "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "10,008 runs, 200,178 stages" in done.stdout


def many_runs(folder: Path) -> list[str]:
    """The command that plans the scaling study with 834 seeds."""
    text = SCALING.read_text().replace(
        "    model.patch_size: [8, 4, 2]\n",
        f"    model.patch_size: [8, 4, 2]\n    seed: {list(range(834))}\n",
    )
    path = folder / "many.yaml"
    path.write_text(text)
    return [sys.executable, "-m", "harness", "plan", str(path)]


def test_a_task_survives_json(paper: Plan) -> None:
    for stage in list(paper.stages.values())[:50]:
        task = paper.task(stage)
        assert Task.from_json(task.to_json()) == task
        json.loads(task.settings)


def test_an_imported_checkpoint_must_be_of_the_studys_labels_noise_and_latents(
    tmp_path: Path,
) -> None:
    """Labels 0 to 999 sampled for a reference of ten classes would be measured without a word."""
    path = tmp_path / "study.yaml"
    path.write_text(
        "study: s\ntitle: t\ndata: {name: glyphs, image_size: 8, train_images: 10}\n"
        "model: {checkpoint: theirs}\nreference: {}\n"
        "evaluations: {final: {samples: 10, split_size: 10}}\n"
    )
    study = load_study(path)
    arch = {"depth": 2, "width": 32, "heads": 2, "patch_size": 4, "block": "adaln-zero"}
    arch |= {"input_size": 8, "channels": 3, "num_classes": 10}
    made = {"diffusion_steps": 1000, "autoencoder": "identity"}

    def plan(arch: dict[str, Any], made: dict[str, Any]) -> Plan:
        given = Imported("theirs", "a" * 64, arch, json.dumps(made), 500)
        return make_plan(study, {"theirs": given})

    assert len(plan(arch, made).measurements) == 1
    for field, other in (
        ("data.num_classes", ({**arch, "num_classes": 1000}, made)),
        ("diffusion.steps", (arch, {**made, "diffusion_steps": 500})),
        ("autoencoder.name", (arch, {**made, "autoencoder": "sd-vae"})),
    ):
        with pytest.raises(BadInput, match=field):
            plan(*other)
