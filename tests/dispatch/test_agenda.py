"""What waits, runs, is done, failed or blocked."""

from __future__ import annotations

import pytest

from harness.dispatch.agenda import Agenda
from harness.dispatch.ledger import Attempt
from harness.plan import Plan, make_plan
from harness.spec import load_study


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_study("studies/scaling.yaml", "smoke"))


def attempt(plan: Plan, key: str, state: str = "running") -> Attempt:
    stage = plan.stages[key]
    return Attempt("001-aaaaaa", key, stage.kind, stage.label, "log", "host", 1, 0.0, state)


def states(agenda: Agenda) -> list[str]:
    groups = (
        agenda.done,
        agenda.failed,
        agenda.running,
        agenda.elsewhere,
        agenda.waiting,
        agenda.blocked,
    )
    return [key for group in groups for key in group]


def test_every_stage_is_in_exactly_one_state_whatever_happens(plan: Plan) -> None:
    agenda = Agenda(dict(plan.stages))
    agenda.begin(dict(plan.stages), set(), {})
    first, second, third, *_ = [s.key for s in agenda.ready()]
    for step in (
        lambda: agenda.started(first, attempt(plan, first)),
        lambda: agenda.leave(second),
        lambda: agenda.finish(first),
        lambda: agenda.again(second, 5.0),
        lambda: agenda.started(third, attempt(plan, third)),
        lambda: agenda.fail(attempt(plan, third, "failed")),
        lambda: agenda.leave(second),
        lambda: agenda.fail(attempt(plan, second, "failed")),
    ):
        step()
        assert sorted(states(agenda)) == sorted(plan.stages)


def test_what_needs_a_failed_stage_is_blocked_and_nothing_else(plan: Plan) -> None:
    encode = next(s for s in plan.stages.values() if s.kind == "encode")
    agenda = Agenda(dict(plan.stages))
    agenda.begin(dict(plan.stages), set(), {encode.key: attempt(plan, encode.key, "failed")})
    kinds = {plan.stages[k].kind for k in agenda.blocked}
    assert kinds == {"train", "sample", "evaluate"}
    waiting = {s.kind for s in agenda.waiting.values()}
    assert waiting == {"complexity", "reference", "floor", "ceiling"}


def test_a_stage_that_is_to_wait_is_not_ready_before_its_time(plan: Plan) -> None:
    agenda = Agenda(dict(plan.stages))
    agenda.begin(dict(plan.stages), set(), {})
    first = agenda.ready()[0]
    assert first.kind == "encode"  # it unblocks everything
    agenda.again(first.key, not_before=10.0)
    assert first not in agenda.ready(9.0)
    assert first in agenda.ready(10.0) and first in agenda.ready()


def of_kind(plan: Plan, kind: str) -> list[str]:
    return [s.key for s in plan.stages.values() if s.kind == kind]


def test_nothing_costly_starts_that_leads_to_failed_stages_alone(plan: Plan) -> None:
    """A reference was refused: no model can be measured, so none is trained."""
    (reference,) = of_kind(plan, "reference")
    failed = {reference: attempt(plan, reference, "failed")}
    agenda = Agenda(dict(plan.stages))
    agenda.begin(dict(plan.stages), set(), failed)
    assert {plan.stages[k].kind for k in agenda.held} == {"encode", "train", "sample"}
    assert not {plan.stages[k].kind for k in agenda.waiting} & {"encode", "train", "sample"}
    assert {s.kind for s in agenda.ready()} >= {"complexity"}
    assert sorted(states(agenda)) == sorted(plan.stages)


def test_keep_going_does_them_all_the_same(plan: Plan) -> None:
    (reference,) = of_kind(plan, "reference")
    agenda = Agenda(dict(plan.stages), keep_going=True)
    agenda.begin(dict(plan.stages), set(), {reference: attempt(plan, reference, "failed")})
    assert not agenda.held
    assert {"encode", "train", "sample"} <= {s.kind for s in agenda.waiting.values()}


def test_one_model_that_fails_keeps_no_other_from_its_work(plan: Plan) -> None:
    first, *others = of_kind(plan, "train")
    agenda = Agenda(dict(plan.stages))
    agenda.begin(dict(plan.stages), set(), {first: attempt(plan, first, "failed")})
    run = plan.stages[first].run
    apart = [k for k in others if plan.stages[k].run != run]
    assert apart and set(apart) <= agenda.waiting.keys()
    assert set(of_kind(plan, "encode") + of_kind(plan, "reference")) <= agenda.waiting.keys()


def test_a_measurement_that_fails_stops_no_further_training(plan: Plan) -> None:
    """What it was measured of is done; the next milestone has a measurement of its own."""
    evaluate = of_kind(plan, "evaluate")[0]
    upstream: set[str] = set()
    for key in reversed(list(plan.stages)):
        if key == evaluate or key in upstream:
            upstream |= plan.stages[key].needs
    agenda = Agenda(dict(plan.stages))
    agenda.begin(dict(plan.stages), upstream, {evaluate: attempt(plan, evaluate, "failed")})
    assert not agenda.held and not agenda.blocked
