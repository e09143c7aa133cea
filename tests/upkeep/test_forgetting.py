"""A stage and all that hangs on it goes; nothing that another study refers to does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from committed import commit_stage, there
from tiny_study import TINY

from harness.cli import main
from harness.dispatch.ledger import Ledger
from harness.dispatch.study_state import study_state
from harness.errors import BadInput
from harness.plan import make_plan
from harness.plan.index import index
from harness.plan.plan import Plan
from harness.spec import load_study
from harness.store import records, studies
from harness.store.artifacts import Store
from harness.upkeep import forgetting


def numbers(store: Store) -> set[str]:
    return set(records.read_frames(store.root)["metrics"]["key"])


def stages(plan: Plan, *kinds: str) -> set[str]:
    return {s.key for s in plan.stages.values() if s.kind in kinds}


@pytest.mark.slow
@pytest.mark.parametrize("compacted", [False, True], ids=["fragments", "compacted"])
def test_a_stage_goes_with_all_that_was_made_of_it_and_nothing_else(
    done: Plan, store: Store, compacted: bool, capsys: Any
) -> None:
    if compacted:
        records.compact(store.root, 0)
    train = next(s for s in done.stages.values() if s.kind == "train" and s.run == 0)
    later = {k for k, s in done.stages.items() if s.after.get("previous") == train.key}
    gone = {train.key, *later}
    for kind in ("sample", "evaluate"):
        gone |= {k for k, s in done.stages.items() if s.kind == kind and s.needs & gone}
    before = numbers(store)
    assert main(["forget", "tiny.yaml", train.key, "--yes"]) == 0
    assert there(done, store) == done.stages.keys() - gone
    assert numbers(store) == before - gone
    state = study_state(done, done.stages.values(), store, Ledger(store.root))
    assert {s.key for s in state.missing} == gone
    assert state.remade == []  # `run` asks nothing
    assert records.reconcile(store) == []  # nothing is written again


def test_forgetting_the_data_leaves_what_does_not_depend_on_it(done: Plan, store: Store) -> None:
    assert main(["forget", "tiny.yaml", "encode", "--yes"]) == 0
    assert there(done, store) == stages(done, "complexity", "reference", "floor", "ceiling")
    assert numbers(store) == set()


@pytest.mark.slow
def test_what_another_study_refers_to_is_not_touched(done: Plan, store: Store, capsys: Any) -> None:
    Path("other.yaml").write_text(TINY.replace("study: tiny", "study: other"))
    studies.write(store.root, index(make_plan(load_study("other.yaml"))))
    assert main(["forget", "tiny.yaml", "encode", "--yes"]) == 2
    said = capsys.readouterr()
    assert "stages of other (laptop) as well" in said.out and "--shared" in said.err
    assert there(done, store) == done.stages.keys()
    assert main(["forget", "tiny.yaml", "encode", "--yes", "--shared"]) == 0
    assert not stages(done, "encode", "train") & there(done, store)


@pytest.mark.slow
def test_what_other_settings_made_of_it_goes_too(done: Plan, store: Store) -> None:
    longer = make_plan(load_study("tiny.yaml", None, ["train.steps=9"]))
    new = [s for k, s in longer.stages.items() if k not in done.stages]
    for stage in new:
        commit_stage(store, stage)
    assert main(["forget", "tiny.yaml", "encode", "--yes"]) == 0
    assert not {s.key for s in new} & store.committed({"train", "sample", "evaluate"})


@pytest.mark.slow
def test_nothing_is_done_while_somebody_works_on_one_of_them(done: Plan, store: Store) -> None:
    theirs = Ledger(store.root)
    train = next(iter(sorted(stages(done, "train"))))
    assert theirs.claim(train)
    chosen = forgetting.choose(done, [done.stages[train]], store)
    with pytest.raises(BadInput, match="somebody works on train"):
        forgetting.remove(done, chosen, store)
    theirs.release(train)
    theirs.register("tiny", "laptop")
    with pytest.raises(BadInput, match="drives tiny"):
        forgetting.remove(done, chosen, store)
    theirs.leave()
    assert there(done, store) == done.stages.keys()
    forgetting.remove(done, chosen, store)
    assert train not in there(done, store)


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_what_the_same_command_completes(
    done: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.store import files

    class Killed(BaseException):
        pass

    records.compact(store.root, 0)
    encode = next(iter(stages(done, "encode")))
    steps = 0
    while True:
        left = [steps]

        def step(operation: str, path: Path, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(files, "step", step)
            try:
                chosen = forgetting.choose(done, [done.stages[encode]], store)
                forgetting.remove(done, chosen, store)
                break
            except Killed:
                pass
        assert numbers(store) <= there(done, store)  # none is shown that was let go of
        steps += 3
    assert there(done, store) == stages(done, "complexity", "reference", "floor", "ceiling")
    assert numbers(store) == set()


@pytest.mark.slow
def test_an_imported_checkpoint_is_refused(done: Plan, store: Store) -> None:
    train = done.stages[next(iter(stages(done, "train")))]
    with pytest.raises(BadInput, match="was imported"):
        forgetting.choose(done, [train], store, imported={train.key})
