"""What SLURM forgets, refuses or tells late, through the real driver; the cluster is pretended."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from pretended_cluster import Clock, PretendedCluster, commit, detached, ends, planned, started

from harness.dispatch import view
from harness.dispatch.ledger import Ledger
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm.cluster import Element, Refused, Unreachable
from harness.dispatch.slurm.jobs import SlurmJobs
from harness.dispatch.standing import standing
from harness.store import Store


def test_children_that_slurm_cancelled_and_forgot_have_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, cluster, _, _ = detached(tmp_path, 1, slots=0)
    ledger = Ledger(tmp_path)
    by_kind = {s.kind: s.key for s in plan.stages.values()}
    for kind in ("reference", "encode", "complexity"):
        commit(Store(tmp_path), plan.task(plan.stages[by_kind[kind]]))
    train = ledger.last(by_kind["train"])
    assert train is not None
    ledger.end(train, "again", "error", "ValueError: boom")
    monkeypatch.setattr(cluster, "queue", lambda name=None: {})  # MinJobAge is over
    second, _ = started(plan, tmp_path, cluster)
    assert second.detach() == 0 and len(second.agenda.running) == 3
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
    plan, cluster, _, _ = detached(tmp_path, 40)
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
    looker = SlurmJobs(tmp_path, plan.study, cluster)
    now = standing(plan, stages, Store(tmp_path), Ledger(tmp_path))
    seen, _ = view.look(plan, stages, now, Ledger(tmp_path), looker)
    assert {s.state for s in seen.values()} <= {"again", "waiting"}
    assert sorted(calls) == elements * asked


def test_a_job_that_only_scontrol_knows_is_not_taken_for_dead_while_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, cluster, _, _ = detached(tmp_path, 2)
    monkeypatch.setattr(cluster, "queue", lambda name=None: {})  # squeue leaves it out
    monkeypatch.setattr(cluster, "detail", lambda job, index: Element(job, "PENDING", "None"))
    second, jobs = started(plan, tmp_path, cluster)
    second.begin()
    assert len(second.agenda.running) == len(plan.stages)
    assert jobs.poll(0.0) == []


def test_another_job_that_was_given_the_id_again_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, cluster, first, _ = detached(tmp_path, 2)
    key, attempt = next(iter(first.agenda.running.items()))
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    plan, cluster, _, _ = detached(tmp_path, 4, clock)
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
    looker = SlurmJobs(tmp_path, plan.study, cluster)
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
    its_jobs.submissions.not_before = clock.now + 1e9
    killed.begin()
    killed.policy.launch([s for s in killed.policy.chain() if s.kind == "encode"])
    killed.leave()
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
