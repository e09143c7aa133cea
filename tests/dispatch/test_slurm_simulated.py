"""Ten thousand stages through the real planner, ledger, store and driver; the cluster and the clock
are pretended. Weeks pass in seconds."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest

from harness.dispatch import budget, slurm_batch, slurm_queue, view
from harness.dispatch import driver as driver_module
from harness.dispatch import slurm as slurm_module
from harness.dispatch.driver import Driver
from harness.dispatch.ledger import Ledger
from harness.dispatch.slurm import SlurmJobs
from harness.dispatch.slurm_cluster import Cluster, Element, Later, Refused, Unreachable
from harness.dispatch.standing import standing
from harness.plan import Plan, make_plan
from harness.plan.stages import Task
from harness.spec import load_study
from harness.store import Store

STUDY = """\
study: simulated
title: Ten thousand stages
profile: here
data: {name: glyphs, image_size: 8, channels: 1, num_classes: 10, train_images: 100}
model: {family: DiT-micro, size: S, patch_size: 4}
matrix:
  axes:
    seed: [SEEDS]
report: {sections: [headline]}
train: {steps: 20, batch_size: 8}
reference: {images: 60, recall_images: 40}
evaluations: {final: {sampling_steps: 2, samples: 40, split_size: 40}}
profiles:
  here:
    dispatch: {executor: slurm, device: cpu, max_tasks: 20000, slurm: {pack: 4}}
"""
RUNS = 3333  # train, sample and evaluate each; and one complexity, encode and reference


class Clock:
    """Stands in for the module `time`: sleeping is free."""

    def __init__(self) -> None:
        self.now = 1.8e9

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.now += 6000 * seconds  # or the loop would go round a million times


class PretendedCluster(Cluster):
    """Runs every element for some simulated minutes, then commits empty artifacts.

    Of its elements, `fail` (a share) end with a state of their own and leave nothing.
    """

    def __init__(self, root: Path, clock: Clock, slots: int = 400, fail: float = 0.0) -> None:
        super().__init__()
        self.root, self.clock, self.slots, self.fail = root, clock, slots, fail
        self.elements: dict[tuple[str, int], Element] = {}
        self.ends: dict[tuple[str, int], float] = {}
        self.waits: list[tuple[str, int]] = []
        self.submitted: list[str] = []
        self.random = random.Random(0)
        self.store = Store(root)

    def max_array_size(self) -> int:
        return 1001

    def submit(self, script: Path, name: str) -> str:
        assert name not in self.submitted and (script.parent / "packs.jsonl").exists()
        self.submitted.append(name)
        job = str(len(self.submitted))
        self.packs = {**getattr(self, "packs", {}), name: slurm_batch.keys_of(self.root, name)}
        for index in (i for i, keys in enumerate(self.packs[name]) if keys):
            self.elements[(name, index)] = Element(job, "PENDING", "Priority")
            self.waits.append((name, index))
        return job

    def queue(self, name: str | None = None) -> dict[str, dict[int, Element]]:
        self.turn()
        found: dict[str, dict[int, Element]] = {}
        for (batch, index), element in self.elements.items():
            found.setdefault(batch, {})[index] = element
        return found

    def turn(self) -> None:
        for place in [p for p, end in self.ends.items() if end <= self.clock.now]:
            del self.ends[place]
            job = self.elements[place].job
            if self.random.random() < self.fail:
                self.elements[place] = Element(job, "NODE_FAIL", exit_code="0:0")
                continue
            self.elements[place] = Element(job, "COMPLETED", exit_code="0:0")
            for entry in slurm_batch.read_pack(self.root, *place):
                commit(self.store, entry.task)
        while self.waits and len(self.ends) < self.slots:
            place = self.waits.pop(0)
            self.ends[place] = self.clock.now + 60 * self.random.randint(5, 500)
            self.elements[place] = Element(self.elements[place].job, "RUNNING")

    def detail(self, job: str, index: int) -> Element | None:
        return None


def commit(store: Store, task: Task) -> None:
    """An artifact without files, and without waiting for the disk."""
    folder = store.folder(task.kind, task.key)
    folder.mkdir(parents=True)
    manifest: dict[str, Any] = {"key": task.key, "files": {}, "facts": {}, "tables": {}}
    (folder / "record.json").write_text("{}")
    (folder / "manifest.json").write_text(json.dumps(manifest))


def planned(folder: Path, runs: int, *overrides: str, slurm: str = "pack: 4") -> Plan:
    file = folder / "simulated.yaml"
    text = STUDY.replace("SEEDS", ", ".join(map(str, range(runs))))
    file.write_text(text.replace("pack: 4", slurm))
    return make_plan(load_study(file, overrides=overrides))


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("study")
    began = time.process_time()
    plan = planned(folder, RUNS)
    took = time.process_time() - began
    print(f"\nplanned {len(plan.stages):,} stages in {took:.2f} s")
    assert len(plan.stages) == 3 * RUNS + 3
    assert took < 3
    return plan


def started(plan: Plan, root: Path, cluster: PretendedCluster) -> tuple[Driver, SlurmJobs]:
    jobs = SlurmJobs(root, plan.study.settings.dispatch, "simulated", cluster)
    stages = list(plan.stages.values())
    return Driver(plan, stages, Store(root), Ledger(root), jobs), jobs


@pytest.mark.slow
def test_ten_thousand_stages_are_submitted_watched_left_and_adopted_in_seconds(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    for module in (slurm_module, slurm_queue, driver_module):
        monkeypatch.setattr(module, "time", clock)
    cluster = PretendedCluster(tmp_path, clock, fail=0.01)
    stages = list(plan.stages.values())
    seconds: dict[str, float] = {}

    def timed(what: str, action: Any) -> Any:
        began = time.process_time()  # the machine may be busy with other tests
        result = action()
        seconds[what] = time.process_time() - began
        return result

    first, _ = started(plan, tmp_path, cluster)
    assert timed("submit", first.detach) == 0
    assert len(first.running) == len(stages)
    sbatches = len(cluster.submitted)

    def status() -> dict[str, view.Seen]:
        ledger, store = Ledger(tmp_path), Store(tmp_path)
        looker = SlurmJobs(tmp_path, plan.study.settings.dispatch, "simulated", cluster)
        history = ledger.history(plan.stages)
        state = standing(plan, stages, store, ledger, history)
        assert budget.spent(plan, history).lost_s == 0
        return view.look(plan, stages, state, ledger, looker)[0]

    assert view.counts(timed("status", status), plan.stages)["queued"] > 9000

    second, _ = started(plan, tmp_path, cluster)
    timed("adopt", second.begin)
    assert len(second.running) == len(stages) and len(cluster.submitted) == sbatches
    second._leave()

    last, _ = started(plan, tmp_path, cluster)
    code = timed("watch to the end", last.run)
    assert code == 0 and len(last.done) == len(stages)
    finished, _ = started(plan, tmp_path, cluster)
    timed("find it done", finished.begin)
    assert len(finished.done) == len(stages)
    days = (clock.now - 1.8e9) / 86400
    print(f"{len(stages):,} stages, {sbatches} arrays, {days:.1f} simulated days: ", end="")
    print(", ".join(f"{what} {took:.1f} s" for what, took in seconds.items()))
    for what in ("status", "adopt", "find it done"):  # on a quiet machine about a second
        assert seconds[what] < 3, what


def test_the_queue_never_holds_more_tasks_than_the_study_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages share a task only where they need the same: how many do shows in their arrangement."""
    clock = Clock()
    for module in (slurm_module, slurm_queue, driver_module):
        monkeypatch.setattr(module, "time", clock)
    plan = planned(tmp_path, 20, "dispatch.max_tasks=5")
    cluster = PretendedCluster(tmp_path, clock, slots=3)
    most = 0

    def submit(script: Path, name: str) -> str:
        nonlocal most
        job = PretendedCluster.submit(cluster, script, name)
        most = max(most, sum(element.live for element in cluster.elements.values()))
        return job

    monkeypatch.setattr(cluster, "submit", submit)
    first, _ = started(plan, tmp_path, cluster)
    first.detach()
    assert most == 5 and first.waiting and not list((tmp_path / "claims").glob("[!_]*"))
    last, _ = started(plan, tmp_path, cluster)
    assert last.run() == 0 and most == 5


def test_a_study_continued_in_the_middle_stays_in_arrays(tmp_path: Path) -> None:
    plan = planned(tmp_path, 200, "dispatch.slurm.pack=1")
    cluster = PretendedCluster(tmp_path, Clock(), slots=0)
    dispatch = plan.study.settings.dispatch
    early = [s for s in plan.stages.values() if s.kind not in ("sample", "evaluate")]
    jobs = SlurmJobs(tmp_path, dispatch, "simulated", cluster)
    Driver(plan, early, Store(tmp_path), Ledger(tmp_path), jobs).detach()
    before = len(cluster.submitted)
    done = next(s for s in early if s.kind == "train")
    commit(Store(tmp_path), plan.task(done))
    second, _ = started(plan, tmp_path, cluster)
    assert second.detach() == 0
    assert len(cluster.submitted) - before < 10


def test_what_was_not_submitted_at_ctrl_c_was_not_given_to_slurm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path, 2)
    cluster = PretendedCluster(tmp_path, Clock())

    def refuse(script: Path, name: str) -> str:
        raise Later("sbatch: QOSMaxSubmitJobPerUserLimit")

    monkeypatch.setattr(cluster, "submit", refuse)
    first, _ = started(plan, tmp_path, cluster)
    first.watch = lambda event, stage, content: first.stop() if event == "tick" else None
    assert first.run() == 3
    assert first.running == {} and first.waiting.keys() == plan.stages.keys()
    ledger = Ledger(tmp_path)
    assert {a.state for a in ledger.latest(plan.stages).values()} == {"stopped"}


def test_a_killed_stage_is_submitted_again_at_once_by_a_driver_that_does_not_stay(
    tmp_path: Path,
) -> None:
    plan = planned(tmp_path, 2)
    cluster = PretendedCluster(tmp_path, Clock())
    first, jobs = started(plan, tmp_path, cluster)
    first.detach()
    train = next(s.key for s in plan.stages.values() if s.kind == "train")
    place = jobs.where[train]
    cluster.elements[place] = Element("1", "FAILED", exit_code="0:9")
    cluster.slots = 0  # the others stay in the queue
    second, _ = started(plan, tmp_path, cluster)
    waits = []
    second.watch = lambda event, stage, content: (
        waits.append(content["wait_s"]) if event == "again" else None
    )
    assert second.detach() == 0
    assert waits and set(waits) == {0.0}
    assert not second.waiting and len(Ledger(tmp_path).attempts(train)) == 2


def test_children_that_slurm_cancelled_and_forgot_have_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path, 1)
    cluster = PretendedCluster(tmp_path, Clock(), slots=0)
    first, _ = started(plan, tmp_path, cluster)
    first.detach()
    ledger = Ledger(tmp_path)
    by_kind = {s.kind: s.key for s in plan.stages.values()}
    for kind in ("reference", "encode", "complexity"):
        commit(Store(tmp_path), plan.task(plan.stages[by_kind[kind]]))
    train = ledger.last(by_kind["train"])
    assert train is not None
    ledger.end(train, "again", "error", "ValueError: boom")
    monkeypatch.setattr(cluster, "queue", lambda name=None: {})  # MinJobAge is over
    second, _ = started(plan, tmp_path, cluster)
    assert second.detach() == 0 and len(second.running) == 3
    for kind in ("sample", "evaluate"):
        assert [a.state for a in ledger.attempts(by_kind[kind])] == ["lost", "running"]


def test_a_job_that_is_younger_than_the_look_at_the_queue_is_not_taken_for_dead(
    tmp_path: Path,
) -> None:
    plan = planned(tmp_path, 2)
    cluster = PretendedCluster(tmp_path, Clock())
    late, jobs = started(plan, tmp_path, cluster)
    jobs.queue.look()
    assert jobs.queue.elements == {}
    jobs.queue._asked = time.monotonic() - 5  # it looked at the queue when that was empty
    first, _ = started(plan, tmp_path, cluster)
    assert first.detach() == 0
    events = [
        jobs.adopt(plan.task(stage), attempt)
        for key, stage in plan.stages.items()
        if (attempt := late.ledger.last(key)) is not None
    ]
    assert events == [None] * len(plan.stages)


@pytest.mark.parametrize(
    ("state", "asked"), [("CANCELLED", 0), ("TIMEOUT", 0), ("FAILED", 1), (None, 1)]
)
def test_one_look_asks_about_an_ended_element_at_most_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str | None, asked: int
) -> None:
    plan = planned(tmp_path, 40)
    cluster = PretendedCluster(tmp_path, Clock())
    first, _ = started(plan, tmp_path, cluster)
    assert first.detach() == 0
    elements = sorted((e.job, i) for (_, i), e in cluster.elements.items())
    assert len(elements) < len(plan.stages) / 3
    found: dict[str, dict[int, Element]] = {}
    for (batch, index), element in cluster.elements.items() if state else ():
        found.setdefault(batch, {})[index] = Element(element.job, str(state))
    calls: list[tuple[str, int]] = []

    def detail(job: str, index: int) -> Element | None:
        calls.append((job, index))
        return Element(job, state, exit_code="1:0") if state else None

    monkeypatch.setattr(cluster, "queue", lambda name=None: found)
    monkeypatch.setattr(cluster, "detail", detail)
    stages = plan.stages.values()
    looker = SlurmJobs(tmp_path, plan.study.settings.dispatch, "simulated", cluster)
    now = standing(plan, stages, Store(tmp_path), Ledger(tmp_path))
    seen, _ = view.look(plan, stages, now, Ledger(tmp_path), looker)
    assert {s.state for s in seen.values()} <= {"again", "waiting"}
    assert sorted(calls) == elements * asked


def test_a_job_that_only_scontrol_knows_is_not_taken_for_dead_while_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path, 2)
    cluster = PretendedCluster(tmp_path, Clock())
    first, _ = started(plan, tmp_path, cluster)
    first.detach()
    monkeypatch.setattr(cluster, "queue", lambda name=None: {})  # squeue leaves it out
    monkeypatch.setattr(cluster, "detail", lambda job, index: Element(job, "PENDING", "None"))
    second, jobs = started(plan, tmp_path, cluster)
    second.begin()
    assert len(second.running) == len(plan.stages)
    assert jobs.poll(0.0) == []


def test_another_job_that_was_given_the_id_again_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path, 2)
    cluster = PretendedCluster(tmp_path, Clock())
    first, jobs = started(plan, tmp_path, cluster)
    first.detach()
    key, attempt = next(iter(first.running.items()))
    assert attempt.batch
    monkeypatch.setattr(cluster, "queue", lambda name=None: {})
    for name, event in ((attempt.batch, None), ("another", "failed")):
        told = Element("1", "RUNNING", name=name)
        monkeypatch.setattr(cluster, "detail", lambda job, index, told=told: told)
        _, jobs = started(plan, tmp_path, cluster)
        found = jobs.adopt(plan.task(plan.stages[key]), attempt)
        assert (found and found.event) == event
        assert found is None or found.content["failure"] == "lost"


def test_a_driver_that_starts_while_slurm_is_silent_waits_and_submits_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    for module in (slurm_module, slurm_queue, driver_module):
        monkeypatch.setattr(module, "time", clock)
    plan = planned(tmp_path, 4)
    cluster = PretendedCluster(tmp_path, clock)
    first, _ = started(plan, tmp_path, cluster)
    assert first.detach() == 0
    submitted = list(cluster.submitted)
    asked = 0
    answers = cluster.queue

    def queue(name: str | None = None) -> dict[str, dict[int, Element]]:
        nonlocal asked
        asked += 1
        if asked <= 3:
            raise Unreachable("SLURM does not answer (3 tries): squeue timed out")
        return answers(name)

    monkeypatch.setattr(cluster, "queue", queue)
    state = standing(plan, plan.stages.values(), Store(tmp_path), Ledger(tmp_path))
    looker = SlurmJobs(tmp_path, plan.study.settings.dispatch, "simulated", cluster)
    seen, said = view.look(plan, plan.stages.values(), state, Ledger(tmp_path), looker)
    assert asked == 1, "one question that times out is enough"
    assert {s.state for s in seen.values()} == {"queued"}
    assert {s.reason for s in seen.values()} == {"unknown, SLURM does not answer"}
    assert len(said) == 1 and "squeue timed out" in said[0]
    second, _ = started(plan, tmp_path, cluster)
    notes: list[str] = []
    second.watch = lambda event, stage, content: (
        notes.append(content["text"]) if event == "note" else None
    )
    assert second.run() == 0
    assert cluster.submitted == submitted
    assert any("the jobs go on unwatched" in note for note in notes)


def ends(driver: Driver) -> int:
    """The exit code of a driver that must not wait for ever."""
    ticks = 0

    def watch(event: str, stage: object, content: object) -> None:
        nonlocal ticks
        ticks += 1
        assert ticks < 5000, "it waits for ever"

    driver.watch = watch
    return driver.run()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (slurm_module, slurm_queue, driver_module):
        monkeypatch.setattr(module, "time", clock)
    return clock


def test_what_waits_for_a_refused_batch_is_looked_at_anew_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """What it follows ended before its sbatch: its own children must not wait for it for ever."""
    cluster = PretendedCluster(tmp_path, clock)
    submit, refused = cluster.submit, []

    def refuse(script: Path, name: str) -> str:
        if "train" in name and not refused:
            refused.append(name)
            raise Refused("sbatch refused the job: Job dependency problem")
        return submit(script, name)

    monkeypatch.setattr(cluster, "submit", refuse)
    driver, _ = started(planned(tmp_path, 3), tmp_path, cluster)
    assert ends(driver) == 0 and refused


def test_what_waits_for_a_batch_that_never_had_a_job_is_looked_at_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Its driver was killed before sbatch, and the next one began while SLURM was silent."""
    plan = planned(tmp_path, 3)
    cluster = PretendedCluster(tmp_path, clock)
    killed, its_jobs = started(plan, tmp_path, cluster)
    its_jobs.not_before = clock.now + 1e9
    killed.begin()
    killed._launch([s for s in killed._chain() if s.kind == "encode"])
    killed._leave()
    answers, asked = cluster.queue, []

    def queue(name: str | None = None) -> dict[str, dict[int, Element]]:
        asked.append(name)
        if len(asked) <= 2:
            raise Unreachable("SLURM does not answer (3 tries): squeue timed out")
        return answers(name)

    monkeypatch.setattr(cluster, "queue", queue)
    driver, _ = started(plan, tmp_path, cluster)
    assert ends(driver) == 0


def test_a_stage_for_which_no_node_has_the_memory_it_grew_to_blocks_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    plan = planned(tmp_path, 3, slurm="pack: 4, mem_gb: 4")
    cluster, ledger = PretendedCluster(tmp_path, clock), Ledger(tmp_path)
    train = next(s for s in plan.stages.values() if s.kind == "train")
    first = ledger.begin(train.key, train.kind, train.label, "harness-train-before", 0)
    ledger.end(first, "again", "out of memory", "it needs more")
    submit, asked = cluster.submit, []

    def refuse(script: Path, name: str) -> str:
        (memory,) = re.findall(r"--mem=(\d+)GB", script.read_text())
        asked.append(int(memory))
        if asked[-1] > 4:
            raise Refused("sbatch refused the job: Memory specification can not be satisfied")
        return submit(script, name)

    monkeypatch.setattr(cluster, "submit", refuse)
    driver, _ = started(plan, tmp_path, cluster)
    assert ends(driver) == 0
    assert asked.count(6) == 1 and set(asked) == {4, 6}


@pytest.mark.parametrize(("longest", "minutes"), [(None, 30), (25, 25), (10, 20)])
def test_time_grows_to_what_the_partition_grants_and_never_below_the_studys(
    longest: int | None,
    minutes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = planned(tmp_path, 1, slurm="pack: 4, minutes: 20")
    cluster, ledger = PretendedCluster(tmp_path, Clock()), Ledger(tmp_path)
    monkeypatch.setattr(cluster, "longest", lambda partition: longest)
    train = next(s for s in plan.stages.values() if s.kind == "train")
    first = ledger.begin(train.key, train.kind, train.label, "harness-train-before", 0)
    ledger.end(first, "again", "timed out", "it needs longer")
    driver, _ = started(plan, tmp_path, cluster)
    assert driver.detach() == 0
    last = ledger.last(train.key)
    assert last and last.batch
    assert slurm_batch.about(tmp_path, last.batch)["minutes"] == minutes
    assert f"--time={minutes}\n" in (tmp_path / "slurm" / last.batch / "submit.sh").read_text()
