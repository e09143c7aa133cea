"""Record files are merged while a driver goes on; killed in the middle of it, nothing is lost."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pretender import Pretender

from harness.dispatch import driver as driver_module
from harness.dispatch import merging
from harness.dispatch.driver import Driver
from harness.dispatch.ledger import Ledger
from harness.plan import Plan, Stage, make_plan
from harness.spec import load_study
from harness.store import Store, files, records


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_study("studies/scaling.yaml", "smoke"))


@pytest.fixture(scope="module")
def stages(plan: Plan) -> list[Stage]:
    """Eight evaluations and what they need."""
    wanted = [s.key for s in plan.stages.values() if s.kind == "evaluate"][:8]
    needed: set[str] = set()
    while wanted:
        key = wanted.pop()
        if key not in needed:
            needed.add(key)
            wanted += plan.stages[key].needs
    return [s for s in plan.stages.values() if s.key in needed]


def drive(plan: Plan, stages: list[Stage], root: Path, **given: Any) -> tuple[int, Pretender]:
    store = Store(root)
    executor = Pretender(store)
    return Driver(plan, stages, store, Ledger(root), executor, **given).run(), executor


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Merge at every turn of the driver's loop that finds three record files of a table."""
    monkeypatch.setattr(driver_module, "MERGE_S", -1.0)
    monkeypatch.setattr(merging, "MANY", 2)


def write(root: Path, count: int) -> None:
    for n in range(count):
        key = f"{n:064x}"
        records.write(root, "metrics", key, [{"key": key, "metric": "fid", "value": 1.0}])


def whole(stages: list[Stage], root: Path) -> None:
    """Each evaluation has its row once, and nobody holds the merging."""
    found = records.read_frames(root)["metrics"]["key"]
    wanted = [s.key for s in stages if s.kind == "evaluate"]
    assert sorted(found) == sorted(wanted)
    assert not list((root / "claims").iterdir())


def test_one_process_merges_at_a_time(tmp_path: Path) -> None:
    write(tmp_path, 5)
    ledger = Ledger(tmp_path)
    assert ledger.claim(merging.CLAIM)
    other = Ledger(tmp_path)
    other.owner = type(ledger.owner)(ledger.owner.host, os.getppid(), "another")
    assert merging.merge(tmp_path, other) is None
    ledger.release(merging.CLAIM)
    assert merging.merge(tmp_path, other, above=9) == 0
    assert merging.merge(tmp_path, other) == 5
    assert not list((tmp_path / "claims").iterdir())


def test_who_watches_hears_when_merging_begins_and_ends(tmp_path: Path) -> None:
    write(tmp_path, 5)
    ledger = Ledger(tmp_path)
    heard: list[tuple[Any, ...]] = []

    def watch(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        left = len(list((tmp_path / "records" / "metrics").glob("0*")))
        heard.append((event, stage, content["table"], content["files"], left))
        assert (event == "compacted") == (content.get("seconds", -1.0) >= 0)

    assert merging.merge(tmp_path, ledger, 5, watch) == 0 and heard == [], "nothing is to merge"
    assert merging.merge(tmp_path, ledger, 0, watch) == 5
    assert heard == [("compacting", None, "metrics", 5, 5), ("compacted", None, "metrics", 5, 0)]
    assert merging.merge(tmp_path, ledger, 0, watch) == 0 and len(heard) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("often")
def test_a_driver_merges_as_it_goes(
    plan: Plan, stages: list[Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged: list[int] = []

    def counted(root: Path, above: int, *watch: Any) -> int:
        merged.append(compact(root, above, *watch))
        return merged[-1]

    compact = records.compact
    monkeypatch.setattr(records, "compact", counted)
    heard: list[str] = []
    code, executor = drive(
        plan, stages, tmp_path, watch=lambda event, stage, content: heard.append(event)
    )
    assert code == 0 and sorted(executor.started) == sorted(s.key for s in stages)
    assert sum(n > 0 for n in merged) >= 2
    assert heard.count("compacting") == heard.count("compacted") >= 2
    whole(stages, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("often")
def test_what_keeps_records_from_being_merged_stops_no_stage(
    plan: Plan, stages: list[Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(root: Path, *above: Any) -> int:
        with files.explained(root):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(records, "compact", full)
    said: list[Any] = []

    def watch(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        said.append(content) if event == "note" else None

    assert drive(plan, stages, tmp_path, watch=watch)[0] == 0
    assert any("the records were not merged" in note["text"] for note in said)
    whole(stages, tmp_path)


def driven_to_death(plan: Plan, stages: list[Stage], root: Path, count: int) -> bool:
    """A driver in another process, which kills itself at its count-th write while it merges."""
    child = os.fork()
    if child == 0:
        left, merge = [count], merging.merge
        before = files.step

        def step(operation: str, path: Path) -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def watched(*given: Any) -> int | None:
            files.step = step
            try:
                return merge(*given)
            finally:
                files.step = before

        merging.merge = watched
        try:
            drive(plan, stages, root)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.slow
@pytest.mark.usefixtures("often")
def test_a_driver_that_is_killed_while_it_merges_loses_and_repeats_no_row(
    plan: Plan, stages: list[Stage], tmp_path: Path
) -> None:
    for count in (0, 3, 7, 9, 12, 15, 18):
        assert driven_to_death(plan, stages, tmp_path, count), f"nothing was merged at {count}"
        frame = records.read_frames(tmp_path)["metrics"]
        assert not frame.duplicated(["key", "metric"]).any()
    code, executor = drive(plan, stages, tmp_path)
    assert code == 0
    evaluations = {s.key for s in stages if s.kind == "evaluate"}
    assert len(evaluations & set(executor.started)) < len(evaluations)  # it went on from there
    whole(stages, tmp_path)
