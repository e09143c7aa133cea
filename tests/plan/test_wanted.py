"""What is to do, backwards from what is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plan import Plan, Stage, make_plan
from harness.plan.wanted import Checkpoint, Work, decide, left, shown_samples, trajectory
from harness.spec import load_study

STUDY = """\
study: chain
data: {name: glyphs, image_size: 8, channels: 1, train_images: 64}
model: {family: DiT-micro}
train: {steps: 6, milestones: [3, 6], batch_size: 8, learning_rate: 1e-3}
reference: {extractor: glyphs-cnn, extractor_images: 100, extractor_steps: 4, images: 60}
evaluations:
  final: {at: milestones, sampling_steps: 2, samples: 40, split_size: 40}
matrix: {axes: {model.size: [S, B], model.patch_size: [8]}}
report: {sections: [headline, samples]}
profiles: {laptop: {}}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "chain.yaml"
    path.write_text(STUDY.replace("study: chain\n", "study: chain\ntitle: Chain\nabout: A.\n"))
    return path


@pytest.fixture(scope="module")
def plan(file: Path) -> Plan:
    return make_plan(load_study(file))


def of(plan: Plan, kind: str, text: str = "") -> list[Stage]:
    return [s for s in plan.stages.values() if s.kind == kind and text in s.label]


def keys(plan: Plan, *kinds: str) -> set[str]:
    return {s.key for s in plan.stages.values() if s.kind in kinds}


def work(plan: Plan, committed: set[str], **given: object) -> Work:
    return decide(plan, list(plan.stages.values()), committed, **given)  # type: ignore[arg-type]


def test_everything_is_to_do_at_first_and_nothing_at_last(plan: Plan) -> None:
    first = work(plan, set())
    assert [s.key for s in first.todo] == list(plan.stages)
    assert not (first.done | first.unneeded or first.remade or first.gone)
    last = work(plan, set(plan.stages))
    assert last.done == set(plan.stages) and not last.todo and not last.unneeded


def test_samples_and_checkpoints_removed_after_their_evaluation_are_not_made_again(
    plan: Plan,
) -> None:
    kept = keys(plan, "evaluate", "ceiling", "reference", "complexity")
    found = work(plan, kept)
    assert not found.todo and not found.remade and found.done == kept
    assert found.unneeded == set(plan.stages) - kept
    # the last checkpoints, and the samples that the report would show, are told as gone
    assert {s.label.partition(" ")[0] for s in found.gone} == {"train", "sample"}
    assert len(found.gone) == 4 and all("6" in s.label for s in found.gone)
    assert found.counted(plan.stages.values()) == [plan.stages[k] for k in plan.stages if k in kept]


def test_nothing_that_was_removed_is_made_again_for_a_picture(plan: Plan) -> None:
    """Shown samples that are damaged are drawn again from a checkpoint that is there."""
    shown = {m.sample for m in shown_samples(plan.measurements)[1].values()}
    lost = of(plan, "sample", "S/8 at 6")[0]
    here = set(plan.stages) - {lost.key}
    assert lost.key in shown
    assert work(plan, here, damaged={lost.key}).todo == [lost]
    pruned = keys(plan, "train")
    found = work(plan, here - pruned, pruned=pruned, damaged={lost.key})
    assert not found.todo and found.gone == [lost]
    measured = {s.key for s in of(plan, "evaluate") if lost.key in s.inputs.values()}
    found = work(plan, here - pruned - measured, pruned=pruned, damaged={lost.key})
    assert lost in found.todo and {s.kind for s in found.remade} == {"train"}  # for a number


def test_what_a_missing_number_needs_is_made_again_and_nothing_else(plan: Plan) -> None:
    lacking = of(plan, "evaluate", "S/8 at 3")[0]
    kept = keys(plan, "evaluate", "ceiling", "reference", "complexity") - {lacking.key}
    found = work(plan, kept, made=keys(plan, "sample"))
    assert {s.kind for s in found.todo} == {"encode", "train", "sample", "evaluate"}
    assert [s.label for s in found.todo if s.kind == "train"] == [of(plan, "train")[0].label]
    assert {s.kind for s in found.remade} == {"encode", "train", "sample"}
    damaged = {s.key for s in found.remade if s.kind == "sample"}
    again = work(plan, kept, made=keys(plan, "sample"), damaged=damaged)
    assert {s.kind for s in again.remade} == {"encode"} or not damaged & {
        s.key for s in again.remade
    }


def test_a_pruned_stage_is_done_until_something_to_do_needs_its_files(plan: Plan) -> None:
    pruned = keys(plan, "train", "sample")
    here = set(plan.stages) - pruned
    found = work(plan, here, pruned=pruned)
    assert found.done == set(plan.stages) and not found.todo and not found.gone
    lacking = of(plan, "evaluate", "B/8 at 6")[0]
    found = work(plan, here - {lacking.key}, pruned=pruned)
    assert [s.kind for s in found.todo] == ["train", "sample", "evaluate"]
    assert [s.kind for s in found.remade] == ["train", "sample"]
    assert pruned - found.done == {s.key for s in found.remade}


def test_a_removed_milestone_is_not_trained_on_the_way(plan: Plan) -> None:
    first, second = of(plan, "train", "S/8")
    kept = keys(plan, "encode", "reference", "complexity")
    kept |= {s.key for s in of(plan, "evaluate", "S/8 at 3")}
    found = work(plan, kept, made={first.key})
    trained = {s.key: s for s in found.todo if s.kind == "train"}
    assert first.key not in trained and second.key in trained
    assert "previous" not in trained[second.key].after
    assert first.gflops and trained[second.key].gflops == pytest.approx(
        first.gflops + (second.gflops or 0.0)
    )
    assert trained[second.key].key == second.key  # where it starts is in no key


def test_a_longer_training_starts_from_the_latest_checkpoint_of_its_run(file: Path) -> None:
    short = make_plan(load_study(file))
    long = make_plan(
        load_study(file, overrides=("train.steps=100", "train.milestones=[100]", "seed=0"))
    )
    committed = [Checkpoint(*trajectory(s), s.key) for s in of(short, "train")]
    found = decide(long, list(long.stages.values()), set(), checkpoints=lambda: committed)
    for stage in (s for s in found.todo if s.kind == "train"):
        run, step = trajectory(stage)
        latest = max((c for c in committed if c.run == run), key=lambda c: c.step)
        assert (step, latest.step) == (100, 6)
        assert stage.after["previous"] == latest.key
        assert stage.gflops == pytest.approx((long.stages[stage.key].gflops or 0) * 94 / 100)
        assert stage.inputs == long.stages[stage.key].inputs
    others = [Checkpoint("another run", c.step, c.key) for c in committed]
    found = decide(long, list(long.stages.values()), set(), checkpoints=lambda: others)
    assert all("previous" not in s.after for s in found.todo)


def test_nothing_goes_on_from_a_checkpoint_without_its_state_and_that_is_asked_for(
    file: Path,
) -> None:
    long = make_plan(
        load_study(file, overrides=("train.steps=100", "train.milestones=[3, 6, 100]", "seed=0"))
    )
    stages = list(long.stages.values())
    third, sixth, last = of(long, "train", "S/8")
    here = {third.key, sixth.key} | keys(long, "encode")
    each = [Checkpoint(*trajectory(s), s.key) for s in (third, sixth)]

    def begun(stateless: list[Checkpoint], **given: object) -> tuple[str | None, float, list[str]]:
        known = [c for c in each if c not in stateless]
        found = decide(long, stages, here, checkpoints=lambda: known, stateless=stateless, **given)  # type: ignore[arg-type]
        assert not {third.key, sixth.key} & {s.key for s in found.todo}  # they stay done
        assert not {third.key, sixth.key} & {s.key for s in found.remade}
        (stage,) = [s for s in found.todo if s.key == last.key]
        return stage.after.get("previous"), stage.gflops or 0, [s.key for s in found.restarted]

    step = (last.gflops or 0) / 94
    assert begun([]) == (sixth.key, pytest.approx(94 * step), [])
    assert begun(each[1:]) == (third.key, pytest.approx(97 * step), [last.key])
    assert begun(each) == (None, pytest.approx(100 * step), [last.key])
    assert begun(each[:1]) == (sixth.key, pytest.approx(94 * step), [])
    # damage is mended without a question
    assert begun(each[1:], damaged={sixth.key}) == (third.key, pytest.approx(97 * step), [])


def test_a_checkpoint_beyond_the_wanted_step_is_not_gone_on_from(plan: Plan) -> None:
    first, second = of(plan, "train", "S/8")
    later = Checkpoint(trajectory(second)[0], 50, "f" * 64)
    found = work(plan, set(), checkpoints=lambda: [later])
    assert {s.key: s.after for s in found.todo}[second.key] == second.after
    assert "previous" not in {s.key: s.after for s in found.todo}[first.key]


def test_of_a_part_its_ends_are_wanted(plan: Plan) -> None:
    some = plan.select(["sample DiT*"])
    assert [s.key for s in decide(plan, some, set()).todo] == [s.key for s in some]
    kept = {s.key for s in some if s.kind != "sample"}
    made = {s.key for s in some if s.kind == "sample"}
    found = decide(plan, some, kept, made=made)  # asked for by name, though they were removed
    assert {s.key for s in found.remade} == made


def test_without_the_section_no_sample_is_wanted_for_itself(file: Path) -> None:
    bare = make_plan(load_study(file, overrides=("report.sections=[headline]",)))
    lacking = keys(bare, "sample")
    found = work(bare, set(bare.stages) - lacking)
    assert not found.todo and not found.gone and found.unneeded == lacking


def test_what_something_wanted_reads_is_what_is_looked_at_for_damage(plan: Plan) -> None:
    lacking = of(plan, "evaluate", "S/8 at 3")[0]
    found = work(plan, set(plan.stages) - {lacking.key})
    assert lacking.inputs["samples"] in found.read and lacking.inputs["reference"] in found.read
    assert not found.read & keys(plan, "train")  # nothing reads a checkpoint any more
    shown = {m.sample for m in shown_samples(plan.measurements)[1].values()}
    assert shown <= found.read


@pytest.mark.slow
@given(st.data())
def test_whatever_is_there_the_rest_can_be_done_in_order(plan: Plan, data: st.DataObject) -> None:
    everything = list(plan.stages)
    here = set(data.draw(st.lists(st.sampled_from(everything), unique=True)))
    pruned = set(data.draw(st.lists(st.sampled_from(everything), unique=True))) - here
    found = work(plan, here, pruned=pruned)
    ready = here | (found.done & here)
    for stage in found.todo:
        assert stage.needs <= ready, stage.label
        ready.add(stage.key)
    assert keys(plan, "evaluate", "complexity", "reference") <= found.done | ready
    assert not found.done & {s.key for s in found.todo}
    assert found.done | found.unneeded | {s.key for s in found.todo} == set(everything)
    assert {s.key for s in found.remade} <= {s.key for s in found.todo}
    made = {s.key for s in found.todo}
    assert work(plan, here | made, pruned=pruned - made).todo == []


def test_what_is_saved_of_a_stage_is_not_left_to_do(plan: Plan) -> None:
    train = of(plan, "train")[0]
    assert train.gflops and left(train, 0.25) == pytest.approx(0.75 * train.gflops)
    assert left(train, 2.0) == 0.0


# --- floors ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def floored(file: Path) -> Plan:
    return make_plan(load_study(file, None, ["reference.floor_images=40"]))


def test_a_floor_is_wanted_for_itself_and_once_for_all_runs(floored: Plan) -> None:
    (floor,) = of(floored, "floor")
    assert floor.inputs == {"reference": of(floored, "reference")[0].key}
    found = work(floored, set(floored.stages) - {floor.key})
    assert [s.key for s in found.todo] == [floor.key]
    assert set(found.read) >= set(floor.inputs.values())


def test_nothing_that_was_removed_is_made_again_for_a_floor(floored: Plan) -> None:
    """Results of before floors were stages, whose reference was pruned or deleted since."""
    (floor,), (reference,) = of(floored, "floor"), of(floored, "reference")
    rest = set(floored.stages) - {floor.key, reference.key}
    for how in ({"pruned": {reference.key}}, {"made": {reference.key}}):
        found = work(floored, rest, **how)
        assert not found.todo and not found.remade and floor.key in found.unneeded
    number = of(floored, "evaluate")[0].key  # which needs the reference, and so makes it again
    found = work(floored, rest - {number}, pruned={reference.key})
    assert {s.key for s in found.todo} == {reference.key, number, floor.key}
    assert [s.key for s in found.remade] == [reference.key]


def test_what_is_measured_brings_its_floor_and_nothing_else_does(floored: Plan) -> None:
    (floor,) = of(floored, "floor")
    label = of(floored, "evaluate")[0].label
    assert floor in floored.select([label])
    assert floor not in floored.select(["sample"]) and floor not in floored.select(["reference"])
    assert [s.kind for s in floored.select(["floor"])] == ["reference", "floor"]
    assert floor not in floored.select([label], ["floor"])
