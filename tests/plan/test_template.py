"""Runs that differ in their seed alone share a template."""

from __future__ import annotations

import json
from pathlib import Path

from planned import plan_of

from harness.plan import keys
from harness.plan.template import Head, template


def test_a_head_and_a_seed_are_the_canonical_text_of_a_stage(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "seed=5")
    run = plan.study.runs[0]
    shared = template(plan, run)
    assert shared.training is not None
    text = f'{shared.training.head.of(5)},"step":6}}'
    assert keys.canonical(json.loads(text)) == text, "sorted, and without spaces"
    trained = [s for s in plan.stages.values() if s.kind == "train" and s.run == 0]
    assert text == trained[-1].settings
    assert shared.training.steps == (3, 6)


def test_a_head_puts_the_seed_in_its_place() -> None:
    assert Head('{"a":1,"seed":', ',"z":2').of(7) == '{"a":1,"seed":7,"z":2'


def test_seeds_share_everything_but_the_seed(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "matrix.axes.seed=[3, 4]")
    first, second = [r for r in plan.study.runs if r.model.label.endswith("S/8")][:2]
    one, other = template(plan, first), template(plan, second)
    assert (one.gflops, one.complexity, one.training) == (
        other.gflops,
        other.complexity,
        other.training,
    )
    assert one.measuring is not None and other.measuring is not None
    keys = [each.key for each in one.measuring.references]
    assert keys and keys == [each.key for each in other.measuring.references]
    assert (first.seed, second.seed) == (3, 4)


def test_a_constant_rate_has_no_trunk_and_one_that_branches_has(tmp_path: Path) -> None:
    plain = template(plan_of(tmp_path), plan_of(tmp_path).study.runs[0]).training
    assert plain is not None and plain.trunk is None and plain.shared == 0
    schedule = "train.schedule={name: wsd, decay: 0.5}"
    plan = plan_of(tmp_path, schedule)
    branching = template(plan, plan.study.runs[0]).training
    assert branching is not None and branching.trunk is not None
    assert branching.shared == 3, "the decay is the last half of six steps"
    assert "horizon" in branching.head.before + branching.head.after
    assert "horizon" not in branching.trunk.before + branching.trunk.after


def test_gflops_are_the_familys_formula(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    for run in plan.study.runs:
        assert run.model.component is not None
        assert template(plan, run).gflops == run.model.component.gflops(run.given())
