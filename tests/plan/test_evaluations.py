"""The stages that measure: at which steps, of which samples, with their floor and ceiling."""

from __future__ import annotations

import json
from pathlib import Path

import planned

from harness.plan.evaluations import at
from harness.plan.plan import Plan

SMALL = ("matrix.axes.model.size=[S]",)


def plan_of(folder: Path, *overrides: str) -> Plan:
    return planned.plan_of(folder, *SMALL, *overrides)


def kinds(plan: Plan, kind: str) -> list[dict[str, object]]:
    return [json.loads(s.settings) for s in plan.stages.values() if s.kind == kind]


def test_at_says_which_checkpoints(tmp_path: Path) -> None:
    for asked, steps in (("milestones", (3, 6)), ("end", (6,)), ("[3]", (3,))):
        plan = plan_of(tmp_path, f"evaluations.final.at={asked}")
        run = plan.study.runs[0]
        assert at(plan.study.evaluations["final"], run) == steps
        assert tuple(m.step for m in plan.measurements) == steps


def test_a_sweep_is_every_combination_of_one_checkpoint(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        "evaluations.final.at=end",
        "evaluations.final.sampling_steps=[2, 3]",
        "evaluations.final.guidance=[{scale: 1.0}, {scale: 1.5, channels: null}]",
    )
    found = [(m.sampling_steps, m.guidance_scale) for m in plan.measurements]
    assert found == [(2, 1.0), (2, 1.5), (3, 1.0), (3, 1.5)]
    assert len({m.checkpoint for m in plan.measurements}) == 1
    assert len({m.sample for m in plan.measurements}) == 4
    priced = [s.gflops for s in plan.stages.values() if s.kind == "sample"]
    assert priced[1] == 2 * priced[0], "guidance is two passes"  # type: ignore[operator]


def test_evaluations_that_draw_the_same_share_their_samples(tmp_path: Path) -> None:
    more = "evaluations.again={at: milestones, sampling_steps: 2, samples: 40, split_size: 20}"
    plan = plan_of(tmp_path, more)
    assert len(kinds(plan, "sample")) == 2 and len(kinds(plan, "evaluate")) == 4
    assert len(plan.measurements) == 4


def test_a_floor_and_a_ceiling_stand_beside_each_way_of_measuring(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    (floor,), (ceiling,) = kinds(plan, "floor"), kinds(plan, "ceiling")
    assert floor["images"] == ceiling["images"] == 40
    (final,) = kinds(plan, "evaluate")[:1]
    for name in ("metrics", "k", "split_size", "subsets"):
        assert floor[name] == ceiling[name] == final[name]
    assert set(plan.floors.values().__iter__().__next__()) == {"final"}


def test_samples_whose_images_are_not_kept_are_extracted_at_once(tmp_path: Path) -> None:
    kept, gone = plan_of(tmp_path), plan_of(tmp_path, "evaluations.final.keep_images=none")
    inputs = lambda plan: [set(s.inputs) for s in plan.stages.values() if s.kind == "sample"]  # noqa: E731
    assert inputs(kept)[0] == {"checkpoint"}
    assert inputs(gone)[0] == {"checkpoint", "reference"}
