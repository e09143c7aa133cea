"""Batches that sbatch refuses, or that follow one it never saw; the cluster is pretended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pretended_cluster import Clock, PretendedCluster, ends, planned, started

from harness.dispatch.ledger import Ledger
from harness.dispatch.slurm import batch as slurm_batch
from harness.dispatch.slurm.cluster import Element, Refused, Unreachable


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
