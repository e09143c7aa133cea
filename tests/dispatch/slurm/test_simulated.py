"""Thousands of stages through the real planner, ledger, store and driver; the cluster and the clock
are pretended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pretended_cluster import Clock, PretendedCluster, commit, detached, planned, started
from slowness import slowness

from harness.dispatch import budget, view
from harness.dispatch.driver import Driver
from harness.dispatch.ledger import Ledger
from harness.dispatch.slurm.cluster import Element, Later
from harness.dispatch.slurm.jobs import SlurmJobs
from harness.dispatch.study_state import study_state
from harness.plan import Plan
from harness.store import Store

# Of each run train, sample and evaluate stages; and one complexity, encode and reference.
RUNS = [800, pytest.param(3333, marks=pytest.mark.full)]


@pytest.fixture(scope="module", params=RUNS)
def plan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("study")
    began = time.process_time()
    plan = planned(folder, request.param)
    took = time.process_time() - began
    print(f"\nplanned {len(plan.stages):,} stages in {took:.2f} s")
    assert len(plan.stages) == 3 * request.param + 4
    assert took < 3 * slowness()
    return plan


@pytest.mark.slow
def test_thousands_of_stages_are_submitted_watched_left_and_adopted_in_seconds(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
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
    assert len(first.agenda.running) == len(stages)
    sbatches = len(cluster.submitted)

    def status() -> dict[str, view.Seen]:
        ledger, store = Ledger(tmp_path), Store(tmp_path)
        looker = SlurmJobs(tmp_path, plan.study, cluster)
        history = ledger.history(plan.stages)
        state = study_state(plan, stages, store, ledger, history)
        assert budget.spent(plan, history).lost_s == 0
        return view.look(plan, stages, state, ledger, looker)[0]

    assert view.counts(timed("status", status), plan.stages)["queued"] > 0.9 * len(stages)

    second, _ = started(plan, tmp_path, cluster)
    timed("adopt", second.begin)
    assert len(second.agenda.running) == len(stages) and len(cluster.submitted) == sbatches
    second.leave()

    last, _ = started(plan, tmp_path, cluster)
    code = timed("watch to the end", last.run)
    assert code == 0 and len(last.agenda.done) == len(stages)
    finished, _ = started(plan, tmp_path, cluster)
    timed("find it done", finished.begin)
    assert len(finished.agenda.done) == len(stages)
    days = (clock.now - 1.8e9) / 86400
    print(f"{len(stages):,} stages, {sbatches} arrays, {days:.1f} simulated days: ", end="")
    print(", ".join(f"{what} {took:.1f} s" for what, took in seconds.items()))
    for what in ("status", "adopt", "find it done"):  # on a quiet machine about a second
        assert seconds[what] < 3, what


@pytest.mark.slow
def test_the_queue_never_holds_more_tasks_than_the_study_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Stages share a task only where they need the same: how many do shows in their arrangement."""
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
    assert most == 5 and first.agenda.waiting and not list((tmp_path / "claims").glob("[!_]*"))
    last, _ = started(plan, tmp_path, cluster)
    assert last.run() == 0 and most == 5


@pytest.mark.slow
def test_a_study_continued_in_the_middle_stays_in_arrays(tmp_path: Path) -> None:
    plan = planned(tmp_path, 200, "dispatch.slurm.pack=1")
    cluster = PretendedCluster(tmp_path, Clock(), slots=0)
    early = [s for s in plan.stages.values() if s.kind not in ("sample", "evaluate")]
    jobs = SlurmJobs(tmp_path, plan.study, cluster)
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
    assert first.agenda.running == {} and first.agenda.waiting.keys() == plan.stages.keys()
    ledger = Ledger(tmp_path)
    assert {a.state for a in ledger.latest(plan.stages).values()} == {"stopped"}


def test_a_killed_stage_is_submitted_again_at_once_by_a_driver_that_does_not_stay(
    tmp_path: Path,
) -> None:
    plan, cluster, _, jobs = detached(tmp_path, 2)
    train = next(s.key for s in plan.stages.values() if s.kind == "train")
    place = jobs.living[train].place
    cluster.elements[place] = Element("1", "FAILED", exit_code="0:9")
    cluster.slots = 0  # the others stay in the queue
    second, _ = started(plan, tmp_path, cluster)
    waits = []
    second.watch = lambda event, stage, content: (
        waits.append(content["wait_s"]) if event == "again" else None
    )
    assert second.detach() == 0
    assert waits and set(waits) == {0.0}
    assert not second.agenda.waiting and len(Ledger(tmp_path).attempts(train)) == 2
