"""Payloads go, numbers stay, and nothing goes that somebody may still need."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_study import TINY

from harness.dispatch.ledger import Ledger
from harness.dispatch.study_state import study_state
from harness.errors import BadInput
from harness.plan import make_plan
from harness.plan.index import index
from harness.plan.plan import Plan
from harness.spec import load_study
from harness.store import files, studies
from harness.store.artifacts import Store
from harness.store.pruned import pruned_keys
from harness.upkeep import pruning
from harness.upkeep.usage import usage


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    return make_plan(load_study("tiny.yaml"))


def chosen(plan: Plan, store: Store, **options) -> set[str]:
    work = study_state(plan, plan.stages.values(), store, Ledger(store.root)).work
    found = pruning.of_study(plan, work, usage(store.root).artifacts, **options)
    return {held.key for held in found.artifacts}


def keys(plan: Plan, kind: str) -> set[str]:
    return {s.key for s in plan.stages.values() if s.kind == kind}


@pytest.mark.slow
def test_of_a_finished_study_milestones_and_samples_go(done: Plan, store: Store) -> None:
    gone = chosen(done, store)
    assert gone <= keys(done, "train") | keys(done, "sample")
    before = {s.after["previous"] for s in done.stages.values() if "previous" in s.after}
    assert gone & keys(done, "train") == before, "the last checkpoint of each run stays"
    shown = keys(done, "sample") - gone
    assert len(shown) == len(done.study.runs), "the report's samples stay"
    assert chosen(done, store, last=True) & keys(done, "train") == keys(done, "train")
    assert chosen(done, store, kinds=("encode",)) == keys(done, "encode")


@pytest.mark.slow
def test_inputs_of_what_is_not_done_stay(plan: Plan, store: Store, commit) -> None:
    late = next(s for s in plan.stages.values() if s.kind == "evaluate")
    for stage in plan.stages.values():
        if stage.key != late.key:
            commit(store, stage.kind, "", key=stage.key)
    everything = chosen(plan, store, kinds=pruning.KINDS, last=True)
    assert not everything & late.needs
    assert everything & keys(plan, "sample")


@pytest.mark.slow
def test_imported_checkpoints_stay(done: Plan, store: Store) -> None:
    kept = keys(done, "train")
    assert not chosen(done, store, last=True, imported=kept) & kept


@pytest.mark.slow
def test_what_another_study_refers_to_stays(done: Plan, store: Store) -> None:
    mine = index(done)
    other = replace(mine, profile="large", stages=dict(list(mine.stages.items())[:6]))
    studies.write(store.root, other)
    studies.write(store.root, replace(mine, overrides=("seed=1",), stages={}))
    others = pruning.others_here(store.root, mine)
    assert others == {"tiny (large)": set(other.stages), "tiny (laptop) --set seed=1": set()}
    work = study_state(done, done.stages.values(), store, Ledger(store.root)).work
    found = pruning.of_study(done, work, usage(store.root).artifacts, others=others)
    assert not {h.key for h in found.artifacts} & set(other.stages)
    assert found.kept["tiny (large)"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    ["dispatch.workers=1", "dispatch={workers: 1}", "report.refresh_minutes=1", "title=A"],
)
def test_a_study_run_in_another_way_is_no_other_study(
    done: Plan, store: Store, override: str
) -> None:
    mine = index(done)
    edited = dict(list(mine.stages.items())[:6])  # as it was before it was edited
    studies.write(store.root, replace(mine, overrides=(override,), stages=edited))
    assert pruning.others_here(store.root, mine) == {}


def test_a_study_of_the_same_stages_is_no_other_study(done: Plan, store: Store) -> None:
    mine = index(done)
    studies.write(store.root, replace(mine, overrides=("train.log_every=3",)))
    assert pruning.others_here(store.root, mine) == {}
    studies.write(store.root, replace(mine, study="other"))
    assert list(pruning.others_here(store.root, mine)) == ["other (laptop)"]


def test_unreferenced(done: Plan, store: Store, commit) -> None:
    stray = commit(store, "sample", "a")
    found = pruning.unreferenced(usage(store.root).artifacts, set(done.stages))
    assert [h.key for h in found.artifacts] == [stray]
    assert not pruning.unreferenced(
        usage(store.root).artifacts, set(done.stages), imported={stray}
    ).artifacts


@pytest.mark.slow
@pytest.mark.parametrize("point", [1, 2, 3, 5, 8])
def test_killed_anywhere_it_can_be_done_again(
    done: Plan, store: Store, point: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [h for h in usage(store.root).artifacts if h.key in chosen(done, store)]
    steps = 0

    def step(name: str, path: Path) -> None:
        nonlocal steps
        steps += 1
        if steps == point:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(files, "step", step)
        pruning.remove(store, held)
    state = study_state(done, done.stages.values(), store, Ledger(store.root))
    assert not state.missing, "half pruned is as good as pruned or not pruned at all"
    pruning.remove(store, held)
    assert pruned_keys(store) == {h.key for h in held}
    assert not any(h.payload for h in usage(store.root).artifacts if h.key in pruned_keys(store))
    state = study_state(done, done.stages.values(), store, Ledger(store.root))
    assert not state.missing and state.done == set(done.stages)
    assert all(store.manifest(h.kind, h.key) for h in held)


@pytest.mark.slow
def test_what_somebody_works_on_is_left_alone(done: Plan, store: Store) -> None:
    held = [h for h in usage(store.root).artifacts if h.key in chosen(done, store)]
    other = Ledger(store.root)
    assert other.claim(held[0].key)
    result = pruning.remove(store, held)
    assert len(result.in_use) == 1 and result.count == len(held) - 1
    assert held[0].key not in pruned_keys(store)


def test_a_process_whose_needs_are_not_known(store: Store) -> None:
    other = Ledger(store.root)
    other.register("strange", "laptop")
    with pytest.raises(BadInput, match=f"process {os.getpid()} .* on strange"):
        pruning.refuse_strangers(store.root, {"tiny"})
    pruning.refuse_strangers(store.root, {"strange"})
    other.leave()
    pruning.refuse_strangers(store.root, {"tiny"})


def test_a_damaged_list_of_what_a_study_needs_is_an_error(done: Plan, store: Store) -> None:
    (path,) = (store.root / "studies").glob("*.json")
    path.write_text("{")
    with pytest.raises(BadInput, match="is damaged"):
        pruning.others_here(store.root)
