"""Jobs of the study as it was, told apart from jobs of another variant of it."""

from __future__ import annotations

from pathlib import Path

from pretended_cluster import Clock, PretendedCluster, planned, started

from harness.dispatch.slurm.cluster import Element
from harness.dispatch.slurm.foreign import foreign, variant


def test_dispatch_settings_make_no_other_variant(tmp_path: Path) -> None:
    one = planned(tmp_path, 1, "dispatch.max_tasks=5", "train.steps=30")
    assert variant(one.study)["overrides"] == ["train.steps=30"]


def test_living_jobs_of_what_the_study_was_are_named_and_no_others(tmp_path: Path) -> None:
    plan = planned(tmp_path, 2)
    cluster = PretendedCluster(tmp_path, Clock())
    driver, jobs = started(plan, tmp_path, cluster)
    assert driver.detach() == 0
    queue, mine = cluster.queue(), variant(plan.study)
    assert foreign(tmp_path, mine, queue, plan.stages) == []
    living = sum(len(elements) for elements in queue.values())
    (edited,) = foreign(tmp_path, mine, queue, {})
    assert edited.startswith(f"{living} jobs do stages that this study no longer has")
    assert "scancel 1_0" in edited
    (other,) = foreign(tmp_path, {**mine, "overrides": ["train.steps=30"]}, queue, {})
    assert "under --profile here" in other and "scancel" not in other
    assert foreign(tmp_path, {**mine, "study": "another"}, queue, {}) == []
    over = {n: {i: Element(e.job, "COMPLETED") for i, e in q.items()} for n, q in queue.items()}
    assert foreign(tmp_path, mine, over, {}) == []
    assert jobs.notes == []


def test_nobody_is_told_to_end_jobs_whose_stages_cannot_be_read(tmp_path: Path) -> None:
    plan = planned(tmp_path, 1)
    cluster = PretendedCluster(tmp_path, Clock())
    driver, _ = started(plan, tmp_path, cluster)
    assert driver.detach() == 0
    for packs in tmp_path.glob("slurm/*/packs.jsonl"):
        packs.write_text("[")
    assert foreign(tmp_path, variant(plan.study), cluster.queue(), {}) == []
