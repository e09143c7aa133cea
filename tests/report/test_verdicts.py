"""What a study's records say of the claims: those that were chosen, where they are shown."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

from harness import paper
from harness.paper import chosen
from harness.report import verdicts
from harness.report.findings import find


def small(make, **changes):
    return make.frames(**{"sizes": ("S", "B"), "patches": (2,), "milestones": (1500,), **changes})


@pytest.mark.slow
def test_claims_are_decided_only_where_a_section_shows_them(make, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(verdicts, "decide_all", lambda e: asked.append(e) or [])
    monkeypatch.setattr(verdicts, "decide_numbers", lambda e, m: [])
    frames = small(make, sweep=())
    find(make.report(frames, ("gflops", "models"), samples={}))
    assert not asked
    find(make.report(frames, ("headline",), samples={}))
    assert len(asked) == 1


@pytest.mark.slow
def test_chosen_claims_and_own_pairs_alone_are_decided(make) -> None:
    chosen = ["size-helps", "strong-correlation"]
    pairs = [("DiT-micro-S/2", "DiT-micro-B/2")]
    made = make.report(small(make), ("claims",), samples={})
    made = dataclasses.replace(made, claims=chosen, claim_pairs=pairs)
    ids = [v.id for v in find(made).verdicts]
    assert ids == [*sorted(chosen, key=paper.ids().index), "sampling:DiT-micro-S/2<DiT-micro-B/2"]


@pytest.mark.slow
def test_own_pairs_are_corrected_over_the_settings_of_the_study_together(make, monkeypatch) -> None:
    asked = []
    decide = verdicts.decide
    monkeypatch.setattr(verdicts, "decide", lambda own: asked.append(own) or decide(own))
    parts = []
    for dropout in (0.1, 0.0, 0.3):
        found = small(make)
        for name in ("metrics", "runs"):
            found[name]["recipe"] = json.dumps({"label_dropout": dropout})
            found[name]["run"] = found[name]["run"] + f"-{dropout}"
        parts.append(found)
    frames = {n: pd.concat([p[n] for p in parts], ignore_index=True) for n in parts[0]}
    made = make.report(frames, ("claims",), samples={})
    pairs, tried = [("DiT-micro-S/2", "DiT-micro-B/2")], []
    compare = chosen.uncorrected
    monkeypatch.setattr(
        chosen, "uncorrected", lambda *given: tried.append(given[2]) or compare(*given)
    )
    found = find(dataclasses.replace(made, claims=["size-helps"], claim_pairs=pairs)).verdicts
    own = [v for v in found if v.where == "this study"]
    assert len(own) == 3 and len({v.setting for v in own}) == 3 and all(v.decidable for v in own)
    (together,) = asked
    assert len(together) == 3
    assert len(tried) == 3, "its labels mean nothing over a reference; once in each setting"


@pytest.mark.slow
def test_a_pair_that_its_labels_decide_is_not_asked_for_in_each_setting(make, monkeypatch) -> None:
    tried = []
    compare = verdicts.compared
    monkeypatch.setattr(
        verdicts, "compared", lambda pairs, e: tried.append([*pairs]) or compare(pairs, e)
    )
    made = make.report(small(make), ("claims",), samples={})
    known, unknown = ("DiT-micro-S/2", "DiT-micro-B/2"), ("DiT-micro-S/2", "nobody")
    made = dataclasses.replace(made, claims=["size-helps"], claim_pairs=[unknown, known])
    _, first, second = find(made).verdicts
    assert (first.decidable, second.decidable) == (False, True)
    assert tried == [[unknown, known], [unknown]]
