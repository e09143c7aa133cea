"""Packing, arrays and dependencies, without a cluster."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dispatch.ledger import Attempt
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm.batch import Batch, Growth, Place, arrange
from harness.dispatch.slurm.script import script
from harness.plan import Plan, make_plan
from harness.plan import stages as plan_stages
from harness.plan.stages import Task
from harness.spec import dispatching, load_study
from harness.spec.schema import SlurmSettings
from harness.store.files import DiskFull


def tasks_of(plan: Plan) -> list[Task]:
    return [plan.task(stage) for stage in plan.stages.values()]


def placed(batches: list[Batch]) -> dict[str, Place]:
    return {
        task.key: (batch.name, index)
        for batch in batches
        for index, pack in batch.elements
        for task in pack
    }


def follows(batch: Batch, index: int) -> set[Place]:
    """The elements that element `index` of a batch waits for."""
    return {(place[0], index) if how == "aftercorr" else place for how, place in batch.after}


def check(tasks: list[Task], batches: list[Batch], pack: int, max_array: int) -> None:
    """What must hold of any arrangement."""
    where = placed(batches)
    order = {batch.name: i for i, batch in enumerate(batches)}
    by_name = {batch.name: batch for batch in batches}
    assert sorted(where) == sorted(t.key for t in tasks)
    assert len({batch.name for batch in batches}) == len(batches)
    for batch in batches:
        assert 1 <= len(batch.packs) <= max_array
        assert all(1 <= len(p) <= pack for p in batch.packs)
        assert {t.kind for p in batch.packs for t in p} == {batch.kind}
        assert all(order[parent] < order[batch.name] for parent in batch.parents)
        for how, (parent, _) in batch.after:
            if how == "aftercorr":
                assert set(batch.indices) <= set(by_name[parent].indices)
    for task in tasks:
        name, index = where[task.key]
        waits = follows(by_name[name], index)
        for need in (*task.inputs.values(), *task.after.values()):
            if need in where:
                assert where[need] in waits, "a stage would start before what it needs"
    for batch in batches:  # and nobody waits for what no stage of its element needs
        for index, members in batch.elements:
            needs = {
                where[k]
                for t in members
                for k in (*t.inputs.values(), *t.after.values())
                if k in where
            }
            assert follows(batch, index) == needs


PLAN = make_plan(load_study("studies/scaling.yaml", "smoke"))
TWICE = make_plan(
    load_study(
        "studies/scaling.yaml",
        "smoke",
        [
            *("evaluations.over-training=null", "evaluations.sampling-compute=null"),
            "evaluations.final={at: end, sampling_steps: 50, samples: 20, metrics: [fd], "
            "subsets: 0}",
            "evaluations.other={at: end, sampling_steps: 50, samples: 20, metrics: [fd], "
            "subsets: 0, reference: {extractor: random-conv, images: 60, recall_images: 20}}",
        ],
    )
)  # the same samples measured against two references


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    pack=st.integers(1, 12),
    max_array=st.integers(1, 30),
    seed=st.integers(0, 1000),
    done=st.floats(0, 1),
)
def test_any_part_of_a_study_is_arranged_so_that_nothing_starts_early(
    pack: int, max_array: int, seed: int, done: float
) -> None:
    chance = random.Random(seed)
    for plan in (PLAN, TWICE):
        tasks = [t for t in tasks_of(plan) if chance.random() >= done]
        batches = arrange(tasks, {}, lambda kind: SlurmSettings(pack=pack), max_array)
        check(tasks, batches, pack, max_array)


def test_a_study_of_twelve_models_becomes_arrays_that_follow_element_by_element() -> None:
    batches = arrange(tasks_of(PLAN), {}, lambda kind: SlurmSettings(), 1001)
    trains = [b for b in batches if b.kind == "train"]
    assert [len(b.packs) for b in trains] == [12, 12]  # to the first milestone, then to the second
    assert "aftercorr" in {how for how, _ in trains[1].after}
    # One sbatch per kind and milestone or sampling setting, not one per stage.
    assert len(batches) < len(PLAN.stages) / 5


def test_measuring_the_same_samples_against_two_references_takes_two_arrays() -> None:
    """The two references are elements of one array, and so of unequal index."""
    evaluates = [t for t in tasks_of(TWICE) if t.kind == "evaluate"]
    references = {t.inputs["reference"] for t in evaluates}
    batches = arrange(tasks_of(TWICE), {}, lambda kind: SlurmSettings(pack=1), 1001)
    check(tasks_of(TWICE), batches, 1, 1001)
    where = placed(batches)
    assert len({where[key][0] for key in references}) == 1 < len(references)
    assert [len(b.packs) for b in batches if b.kind == "evaluate"] == [12, 12]


def test_an_array_is_split_at_the_clusters_limit() -> None:
    tasks = [t for t in tasks_of(PLAN) if t.kind == "complexity"]
    batches = arrange(tasks, {}, lambda kind: SlurmSettings(pack=1), 5)
    assert [len(b.packs) for b in batches] == [5, 5, 2]


def test_stages_in_flight_are_waited_for_and_done_ones_are_not() -> None:
    encode = next(t for t in tasks_of(PLAN) if t.kind == "encode")
    train = next(t for t in tasks_of(PLAN) if t.kind == "train")
    (batch,) = arrange([train], {encode.key: ("b", 3)}, lambda k: SlurmSettings(), 9)
    assert batch.dependency({"b": "77"}) == "afterok:77_3"
    (batch,) = arrange([train], {}, lambda kind: SlurmSettings(), 9)
    assert batch.dependency({}) is None


def test_children_of_an_array_that_is_partly_done_stay_an_array_with_its_indices(
    tmp_path: Path,
) -> None:
    tasks = tasks_of(PLAN)
    trains = [t for t in tasks if t.kind == "train"]
    (first, *rest) = [t for t in trains if not {k.key for k in trains} & set(t.after.values())]
    in_flight = {task.key: ("b", index) for index, task in enumerate(rest, start=1)}
    children = [t for t in trains if {first.key, *in_flight} & set(t.after.values())]
    assert len(children) == 12
    batches = arrange(children, in_flight, lambda kind: SlurmSettings(array_parallelism=5), 1001)
    alone, array = sorted(batches, key=lambda batch: len(batch.packs))
    assert (alone.array, alone.dependency({})) == ("0", None)
    assert (array.array, array.dependency({"b": "7"})) == ("1-11", "aftercorr:7")
    for index, (task,) in array.elements:
        assert in_flight.keys() & set(task.after.values()) == {rest[index - 1].key}
    text = script(tmp_path, array, SlurmSettings(array_parallelism=5), "aftercorr:7")
    assert "#SBATCH --array=1-11%5\n" in text and "--array=0" not in text
    attempt = Attempt("001", "k", "train", "train", "log", "host", 1, 0.0)
    slurm_batch.write(tmp_path, array, {t.key: attempt for t in children}, {})
    assert [e.task for e in slurm_batch.read_pack(tmp_path, array.name, 11)] == array.packs[-1]
    assert slurm_batch.keys_of(tmp_path, array.name)[:2] == [[], [array.packs[0][0].key]]
    gaps = [task for index, task in enumerate(rest, start=1) if index not in (4, 6)]
    some = {task.key: in_flight[task.key] for task in gaps}
    batches = arrange(children, some, lambda kind: SlurmSettings(), 1001)
    assert {batch.array for batch in batches} == {"0-2", "1-3,5,7-11"}


def test_kinds_that_share_their_work_start_one_process_per_gpu() -> None:
    eight = SlurmSettings(gpus_per_node=8)
    assert eight.processes("train") == 8
    assert eight.processes("evaluate") == 1
    assert SlurmSettings(gpus_per_node=0).processes("train") == 1
    assert SlurmSettings(tasks_per_node=3).processes("evaluate") == 3


def test_the_kinds_that_share_their_work_are_those_the_stages_share() -> None:
    from harness.stages import distributed

    assert set(dispatching.SHARED) == set(distributed.SHARED)
    assert set(slurm_batch.PACKS) <= set(plan_stages.STAGE_SETTINGS)


def test_a_full_disk_is_told_before_anything_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(DiskFull, match="no space left while writing"):
        slurm_batch.write(tmp_path, Batch("harness-train-x", "train", Growth(), []), {}, {})
