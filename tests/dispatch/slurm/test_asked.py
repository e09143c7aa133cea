"""The memory and time that a batch asks for, and what is said when it was too little."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pretended_cluster import Clock, PretendedCluster, planned, started

from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm.asked import Asked
from harness.dispatch.slurm.batch import Batch, Growth
from harness.dispatch.slurm.cluster import Element, Refused
from harness.plan.stages import Task
from harness.spec.schema import DispatchSettings


def asked(
    gb: int | None, refused: bool = False, longest: int | None = None, **dispatch: Any
) -> Asked:
    batch = Batch("harness-train-x", "train", Growth(), [[]], longest=longest, refused=refused)
    return Asked.of(DispatchSettings.model_validate(dispatch), batch, 60, gb)


def test_the_setting_is_named_that_says_how_much() -> None:
    assert asked(16, slurm={"mem_gb": 16}).settings["mem_gb"] == "dispatch.slurm.mem_gb"
    by_kind = asked(32, slurm={"mem_gb": 16}, slurm_by_kind={"train": {"mem_gb": 32}}).settings
    assert by_kind["mem_gb"] == "dispatch.slurm_by_kind.train.mem_gb"
    assert by_kind["minutes"] == "dispatch.slurm.minutes"


@pytest.mark.parametrize("option", ["mem_per_cpu", "mem-per-gpu"])
def test_an_option_of_sbatch_that_says_it_cannot_grow(option: str) -> None:
    found = asked(None, slurm={"extra": {option: "4G"}})
    assert found.fixed == f"dispatch.slurm.extra says it ({option.replace('_', '-')})"


@pytest.mark.parametrize(("longest", "most"), [(None, False), (60, True), (90, False)])
def test_all_the_minutes_of_a_partition_cannot_grow(longest: int | None, most: bool) -> None:
    assert asked(16, longest=longest).most is most


def test_it_is_read_as_it_was_written_and_an_older_batch_has_none() -> None:
    one = asked(24, refused=True)
    assert one.fixed == "the cluster refused more"
    assert Asked.read(json.loads(json.dumps({"job": None, **one.written()}))) == one
    assert Asked.read({"job": None}) is None


def test_other_failures_have_no_remedy() -> None:
    assert asked(16).remedy("evaluate", "killed", "by signal 9") is None
    assert asked(16).remedy("evaluate", "timed out", "its time ended") is not None
    assert asked(16).remedy("train", "timed out", "its time ended") is None


class Starved(PretendedCluster):
    """The trainings of its jobs exceed their memory; jobs of more than `most` GB are refused."""

    most = 1000

    def cancel(self, name: str, elements: list[str]) -> None:
        pass

    def submit(self, script: Path, name: str) -> str:
        gb = re.findall(r"--mem=(\d+)GB", script.read_text())
        if gb and int(gb[0]) > self.most:
            raise Refused("sbatch refused the job: Memory specification can not be satisfied")
        return super().submit(script, name)

    def turn(self) -> None:
        for (name, index), element in self.elements.items():
            if "train" in name and element.live:
                self.elements[(name, index)] = Element(element.job, "OUT_OF_MEMORY")
                self.ends.pop((name, index), None)
                self.waits = [place for place in self.waits if place != (name, index)]
        super().turn()


def starved(
    root: Path, clock: Clock, settings: str, most: int = 1000
) -> tuple[list[Attempt], list[str]]:
    """A study whose one training never has enough: its attempts, and what was told of them."""
    plan = planned(root, 1, slurm=settings)
    cluster = Starved(root, clock)
    cluster.most = most
    driver, _ = started(plan, root, cluster)
    told: list[str] = []

    def watch(event: str, stage: Any, content: dict[str, Any]) -> None:
        if event == "again":
            told.append(content["attempt"].next_try)

    driver.watch = watch
    assert driver.run() == 1
    train = next(s.key for s in plan.stages.values() if s.kind == "train")
    return Ledger(root).attempts(train), told


def test_without_a_setting_it_is_tried_once_more_and_says_that_nothing_changed(
    tmp_path: Path, clock: Clock
) -> None:
    """It was tried twice more with the same memory, and nothing said so."""
    attempts, told = starved(tmp_path, clock, "pack: 4")
    assert [a.state for a in attempts] == ["again", "failed"]
    assert told == ["with as much memory as before, because dispatch.slurm.mem_gb is not set"]
    assert attempts[-1].error and "--set dispatch.slurm.mem_gb=GB" in attempts[-1].error


@pytest.mark.slow
def test_with_a_setting_each_try_has_more_and_the_last_says_how_much_was_too_little(
    tmp_path: Path, clock: Clock
) -> None:
    attempts, told = starved(tmp_path, clock, "pack: 4, mem_gb: 4")
    assert told == ["with 1.5 times its 4 GB", "with 1.5 times its 6 GB"]
    assert attempts[-1].error and "9 GB were not enough" in attempts[-1].error


@pytest.mark.slow
def test_where_the_cluster_refuses_more_that_is_said(tmp_path: Path, clock: Clock) -> None:
    attempts, told = starved(tmp_path, clock, "pack: 4, mem_gb: 4", most=4)
    assert [a.state for a in attempts] == ["again", "failed"]
    assert told == ["with 1.5 times its 4 GB"]
    assert attempts[-1].error and "the cluster refused more" in attempts[-1].error


def test_of_a_pack_only_the_stage_that_ran_is_blamed(tmp_path: Path, clock: Clock) -> None:
    """Those behind it had a try counted that they never had."""
    plan = planned(tmp_path, 3)
    cluster = Starved(tmp_path, clock)
    driver, jobs = started(plan, tmp_path, cluster)
    assert driver.detach() == 0
    place = next(p for p in cluster.elements if "train" in p[0])
    first, *rest = [e.task for e in slurm_batch.read_pack(tmp_path, *place)]
    assert rest
    state_of(tmp_path, place[0], first)
    cluster.turn()
    clock.now += 3600
    events = {task.key: jobs.adopt(task, jobs.living[task.key].attempt) for task in (first, *rest)}
    ends = [(e.event, e.content.get("failure")) for e in events.values() if e]
    assert ends == [("failed", "out of memory")] + [("lost", None)] * len(rest)


def state_of(root: Path, name: str, task: Task) -> None:
    """What the task of a stage says when it begins."""
    from harness.dispatch.slurm import state

    state.write(root, name, task.key, "running", 1.0)
