"""How much of an interrupted stage is on disk already."""

from __future__ import annotations

from pathlib import Path

from committed import commit_stage
from planned import plan_of

from harness.dispatch.progress import saved
from harness.plan.plan import Stage
from harness.store import Store


def trained(folder: Path) -> list[Stage]:
    return [s for s in plan_of(folder).stages.values() if s.kind == "train"][
        :2
    ]  # to 3, and from there to 6


def left(root: Path, stage: Stage, *names: str) -> None:
    for name in names:
        (root / "scratch" / stage.key / name).mkdir(parents=True)


def test_nothing_was_begun(tmp_path: Path) -> None:
    assert saved(Store(tmp_path / "results"), trained(tmp_path)) == {}


def test_the_newest_checkpoint_counts_from_where_the_stage_starts(tmp_path: Path) -> None:
    store, (first, second) = Store(tmp_path / "results"), trained(tmp_path)
    left(store.root, first, "step-1", "step-2", "_step-3")
    assert saved(store, [first, second]) == {first.key: 2 / 3}


def test_what_is_there_before_the_first_checkpoint_is_nothing(tmp_path: Path) -> None:
    store, (first, _) = Store(tmp_path / "results"), trained(tmp_path)
    left(store.root, first, "step-0")
    assert saved(store, [first]) == {}


def test_other_stages_and_names_that_are_no_steps_are_passed_over(tmp_path: Path) -> None:
    store, (first, second) = Store(tmp_path / "results"), trained(tmp_path)
    left(store.root, first, "step-two")
    left(store.root, second, "step-9")
    found = saved(store, [first, second])
    assert found == {second.key: 1.0}, "beyond the end is the end"
    commit_stage(store, first)
    (tmp_path / "results" / "scratch" / "file").write_text("")
    assert saved(store, [second]) == found
