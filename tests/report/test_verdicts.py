"""What a study's records say of the claims: those that were chosen, where they are shown."""

from __future__ import annotations

import dataclasses

import pytest

from harness import paper
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
