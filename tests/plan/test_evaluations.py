"""The stages that measure: at which steps, of which samples, with their floor and ceiling."""

from __future__ import annotations

import json
from pathlib import Path

import planned

from harness.plan.evaluations import at
from harness.plan.plan import Plan
from harness.plan.wanted import decide

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


def test_where_the_floor_has_fewer_images_so_many_samples_of_each_last_checkpoint_are_measured(
    tmp_path: Path,
) -> None:
    assert not kinds(plan_of(tmp_path), "subset")
    plan = plan_of(tmp_path, "reference.floor_images=30", "evaluations.final.split_size=20")
    (floor,), (subset,) = kinds(plan, "floor"), kinds(plan, "subset")
    assert subset["images"] == floor["images"] == 30
    for name in ("metrics", "k", "split_size", "subsets"):
        assert subset[name] == floor[name]
    last = plan.measurements[-1]
    assert last.step == 6 and list(plan.subsets.values()) == [last.evaluate]
    (stage,) = [s for s in plan.stages.values() if s.kind == "subset"]
    assert stage.inputs == plan.stages[last.evaluate].inputs
    assert stage.label.endswith("40 samples, 2 steps, as many as the floor has")


def test_a_subset_is_selected_with_its_evaluation_and_left_out_with_its_floor(
    tmp_path: Path,
) -> None:
    plan = planned.plan_of(tmp_path, "reference.floor_images=30")
    (key, other) = plan.subsets
    whole = plan.subsets[key]
    chosen = {s.key for s in plan.select([whole])}
    assert key in chosen and other not in chosen
    assert key not in {s.key for s in plan.select(["train"])}
    assert key not in {s.key for s in plan.select(skip=["subset"])}
    floors = [k for k in plan.floors if plan.stages[k].kind == "floor"]
    plan.drop(floors, "no floor")
    assert not plan.subsets and key not in plan.stages and whole in plan.stages


def test_a_subset_is_not_made_for_its_own_sake_of_what_was_removed(tmp_path: Path) -> None:
    """A study of before whose samples were pruned: nobody draws them again for it."""
    plan = plan_of(tmp_path, "reference.floor_images=30")
    (key,) = plan.subsets
    stages = list(plan.stages.values())
    samples = {s.key for s in stages if s.kind == "sample"}
    here = {s.key for s in stages} - {key}
    late = decide(plan, stages, here - samples, pruned=samples)
    assert not late.todo and not late.remade
    assert [s.key for s in decide(plan, stages, here).todo] == [key]
