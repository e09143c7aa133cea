"""What SLURM forgets, refuses or tells late, through the real driver; the cluster is pretended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pretended_cluster import Clock, PretendedCluster, commit, detached, planned, started

from harness.dispatch import view
from harness.dispatch.ledger import Ledger
from harness.dispatch.slurm import state
from harness.dispatch.slurm.cluster import Element, NotConfigured, Unreachable
from harness.dispatch.slurm.jobs import SlurmJobs
from harness.dispatch.study_state import study_state
from harness.errors import BadInput
from harness.store import Store


@pytest.mark.slow
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
    assert second.detach() == 0 and len(second.agenda.running) == 4
    for kind in ("sample", "evaluate"):
        assert [a.state for a in ledger.attempts(by_kind[kind])] == ["lost", "running"]


@pytest.mark.slow
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


@pytest.mark.slow
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
    now = study_state(plan, stages, Store(tmp_path), Ledger(tmp_path))
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
    state = study_state(plan, plan.stages.values(), Store(tmp_path), Ledger(tmp_path))
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


def test_without_a_slurm_configuration_a_run_ends_at_once_and_speaks_of_no_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    plan = planned(tmp_path, 1)
    cluster = PretendedCluster(tmp_path, clock)

    def unconfigured(*_: object) -> None:
        raise NotConfigured("SLURM's commands find no configuration on this machine: fatal")

    monkeypatch.setattr(cluster, "queue", unconfigured)
    monkeypatch.setattr(cluster, "max_array_size", unconfigured)
    driver, _ = started(plan, tmp_path, cluster)
    notes: list[str] = []
    driver.watch = lambda event, stage, content: (
        notes.append(content["text"]) if event == "note" else None
    )
    with pytest.raises(BadInput, match=r"no configuration.*Nothing was submitted.*login node"):
        driver.run()
    assert notes == [] and Ledger(tmp_path).tried() == set()


def test_a_silent_cluster_is_not_told_as_jobs_that_go_on_where_none_was_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, cluster, _, _ = detached(tmp_path, 1)

    def silent(name: str | None = None) -> None:
        raise Unreachable("SLURM does not answer (3 tries): squeue timed out")

    monkeypatch.setattr(cluster, "queue", silent)
    empty = SlurmJobs(tmp_path, plan.study, cluster)
    empty.foreign(())
    assert empty.notes == [
        "SLURM does not answer (3 tries): squeue timed out; nothing was submitted yet"
    ]
    second, jobs = started(plan, tmp_path, cluster)
    second.begin()
    assert len(jobs.notes) == 1 and jobs.notes[0].endswith("go on unwatched until it does")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("PENDING", "job requeued in held state", "pending: job requeued in held state (it is"),
        ("SPECIAL_EXIT", "None", "special_exit: None (it is"),
    ],
)
def test_a_job_that_waits_for_a_person_says_for_what(
    tmp_path: Path, state: str, reason: str, told: str
) -> None:
    """`run` once, in a note; `status` as the reason of each stage."""
    plan, cluster, _, jobs = detached(tmp_path, 1, slots=0)
    for place, element in cluster.elements.items():
        cluster.elements[place] = Element(element.job, state, reason)
    jobs.queue._asked = None  # it is time to ask again
    notes = [e.content["text"] for e in jobs.poll(0) if e.event == "note"]
    assert len(notes) == 1 and notes[0].endswith("held; `scontrol release` lets it go")
    now = study_state(plan, plan.stages.values(), Store(tmp_path), Ledger(tmp_path))
    looker = SlurmJobs(tmp_path, plan.study, cluster)
    seen, _ = view.look(plan, plan.stages.values(), now, Ledger(tmp_path), looker)
    assert {s.state for s in seen.values()} == {"queued"}
    assert all(s.reason.startswith(told) for s in seen.values())


def test_a_job_that_goes_back_into_the_queue_for_ever_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLURM 22.05, where its controller has no name for the user's number: every two minutes it can
    make no credential, and says that the job waits for the time at which it may begin."""
    plan, cluster, _, _ = detached(tmp_path, 2, slots=0)
    asked: list[tuple[str, int]] = []
    restarts = 1

    def detail(job: str, index: int) -> Element:
        asked.append((job, index))
        return Element(job, "PENDING", "BeginTime", restarts=restarts)

    monkeypatch.setattr(cluster, "detail", detail)
    for place, element in cluster.elements.items():
        cluster.elements[place] = Element(element.job, "PENDING", "BeginTime")
    driver, jobs = started(plan, tmp_path, cluster)
    driver.begin()
    jobs.queue._asked = None
    assert not [e for e in jobs.poll(0.0) if e.event == "note"]  # once may be a preemption
    assert len(asked) == len({job for job, _ in asked}) > 0  # once for all elements of an array
    restarts, jobs.queue._asked = 2, None
    jobs.queue._restarts.clear()
    (note,) = [e for e in jobs.poll(0.0) if e.event == "note"]
    assert "may not know your user" in note.content["text"] and "Restarts" in note.content["text"]
    jobs.queue._asked = None
    assert not [e for e in jobs.poll(0.0) if e.event == "note"]
    stages = plan.stages.values()
    now = study_state(plan, stages, Store(tmp_path), Ledger(tmp_path))
    looker = SlurmJobs(tmp_path, plan.study, cluster)
    seen, _ = view.look(plan, stages, now, Ledger(tmp_path), looker)
    assert all("may not know your user" in s.reason for s in seen.values())


def test_a_job_that_was_preempted_before_it_began_is_not_suspected_once_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, cluster, first, _ = detached(tmp_path, 1, slots=0)
    monkeypatch.setattr(
        cluster, "detail", lambda job, i: Element(job, "PENDING", "BeginTime", restarts=5)
    )
    for place, element in cluster.elements.items():
        cluster.elements[place] = Element(element.job, "PENDING", "BeginTime")
    for key, attempt in first.agenda.running.items():
        assert attempt.batch is not None
        state.write(tmp_path, attempt.batch, key, state="running", ran=1.0)
    _, jobs = started(plan, tmp_path, cluster)
    jobs.queue.look()
    for key, attempt in first.agenda.running.items():
        jobs.adopt(plan.task(plan.stages[key]), attempt)
        assert "know" not in jobs.reason(key)
