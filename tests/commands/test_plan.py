"""`plan`: every stage and the totals, the paper's setting, and what is missing here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from committed import commit_stage
from verbs import Said, stages

from harness.spec.schema import STAGE_KINDS
from harness.store import Store


def test_plan_as_json_says_every_stage_and_the_totals(verb: Said) -> None:
    content = json.loads(verb("plan", "tiny.yaml", "--json")[1])
    assert content["runs"] == 2
    kinds = {s["kind"] for s in content["stages"]}
    assert kinds == set(STAGE_KINDS) - {"subset"}  # the floor has as many images as the samples
    assert content["missing"]["stages"] == len(content["stages"]) == 18
    assert content["missing"]["device_seconds"] is None  # nothing measured: not a guess
    train = [s for s in content["stages"] if s["kind"] == "train"]
    assert content["missing"]["gflops"] == pytest.approx(
        sum(s["gflops"] for s in content["stages"] if s["gflops"])
    )
    assert all(s["gflops"] > 0 and s["seconds"] is None for s in train)


def test_plan_shows_the_papers_setting_with_its_cost_and_what_is_missing(verb: Said) -> None:
    code, said = verb("plan", "scaling", "--profile", "imagenet256")
    assert code == 0
    assert "12 runs" in said and "Eflops" in said
    for word in ("data/imagenet/train", "VIRTUAL_imagenet256_labeled.npz"):
        assert word in said


def test_a_stage_that_is_done_costs_nothing_any_more(verb: Said, study: Path) -> None:
    before = json.loads(verb("plan", "tiny.yaml", "--json")[1])
    trains = stages(study, "train")
    commit_stage(Store(study.parent / "results"), trains[0])
    after = json.loads(verb("plan", "tiny.yaml", "--json")[1])
    assert (after["kinds"]["train"]["done"], after["missing"]["stages"]) == (1, 17)
    assert trains[0].gflops is not None
    saved = before["missing"]["gflops"] - after["missing"]["gflops"]
    assert saved == pytest.approx(trains[0].gflops)
    states = {s["key"]: s["state"] for s in after["stages"]}
    assert states[trains[0].key] == "done" and states[trains[1].key] == "missing"
    row = next(x for x in verb("plan", "tiny.yaml")[1].splitlines() if x.startswith("train"))
    assert row.split()[1:4] == ["4", "1", "0"]


def test_stages_are_listed_with_the_keys_that_other_verbs_take(verb: Said, study: Path) -> None:
    said = verb("plan", "tiny.yaml", "--stages")[1]
    for stage in stages(study, "sample"):
        assert f"missing {stage.key[:12]}  {stage.label}" in said
    assert "missing " not in verb("plan", "tiny.yaml")[1]
