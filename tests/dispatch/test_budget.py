"""GPU-hours against a study's budget, and the sbatch settings they come from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.dispatch.budget import Given, gpu_hours, refusal, spent
from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.slurm.task import Said
from harness.errors import BadInput
from harness.plan import Plan, make_plan
from harness.plan.estimate import Rates
from harness.spec import load_study

SCALING = "studies/scaling.yaml"
NOTHING = Rates({}, {}, 0)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_study(SCALING, "imagenet256"))


def test_what_was_never_measured_counts_with_its_time_limit(plan: Plan) -> None:
    trains = [s for s in plan.stages.values() if s.kind == "train"]
    hours = gpu_hours(plan, trains, [], NOTHING)
    assert hours.total == hours.at_most == 96 * 24 * 8 and hours.unmeasured == 96
    counts = [s for s in plan.stages.values() if s.kind == "complexity"]
    assert gpu_hours(plan, counts, [], NOTHING).total == 0  # they ask for no GPU


def test_measured_stages_count_what_they_took_and_what_their_kind_takes(plan: Plan) -> None:
    trains = [s for s in plan.stages.values() if s.kind == "train"][:2]
    rates = Rates({}, {"train": 3600 / (trains[0].gflops or 1)}, 1)
    hours = gpu_hours(plan, trains[:1], [("train", 1800.0)], rates)
    assert (hours.spent, hours.unmeasured) == (4.0, 0)
    assert hours.estimated == pytest.approx(1.0)  # of one GPU, on eight in an eighth of the time
    evaluates = [s for s in plan.stages.values() if s.kind == "evaluate"][:1]
    hours = gpu_hours(plan, evaluates, [], Rates({}, {"evaluate": 1800.0}, 1))
    assert hours.estimated == pytest.approx(0.5)


def test_a_refusal_says_the_sum_its_parts_and_what_to_do(plan: Plan) -> None:
    hours = gpu_hours(plan, plan.stages.values(), [], NOTHING)
    said = refusal(hours, 500.0)
    assert said and "its budget is 500.0" in said and "--allow-over-budget" in said
    assert "stages without measurements" in said
    assert refusal(hours, 1e9) is None


def test_what_failed_attempts_took_is_counted_beside_what_was_kept(
    plan: Plan, tmp_path: Path
) -> None:
    train = next(s for s in plan.stages.values() if s.kind == "train")
    ledger = Ledger(tmp_path)

    def tried(state: str, ran: float | None) -> None:
        attempt = ledger.begin(train.key, "train", "train x", "harness-train-1", 0)
        ledger.end(replace(attempt, ran=ran), state)

    tried("again", 1800.0)
    tried("stopped", None)  # it waited in the queue and never ran
    tried("done", 3600.0)
    local = ledger.begin(train.key, "train", "train x")
    ledger.end(local, "lost", at=local.started + 60)
    found = spent(plan, ledger.history(plan.stages))
    assert (found.kept_s, found.lost_s) == (3600.0, pytest.approx(1860.0))
    assert (found.kept_gpu_hours, found.lost_gpu_hours) == (8.0, 4.0)
    ledger.end(replace(local, devices=2), "lost", at=local.started + 1800)  # on GPUs of ours
    assert spent(plan, ledger.history(plan.stages)).lost_gpu_hours == pytest.approx(5.0)
    hours = gpu_hours(plan, [], [], NOTHING, lost=found.lost_gpu_hours)
    said = refusal(hours, 3.0)
    assert said and "4.0 spent on attempts that failed or were stopped" in said
    assert refusal(hours, 4.0) is None


def test_stages_that_are_done_without_an_attempt_that_did_them_are_counted(
    plan: Plan, tmp_path: Path
) -> None:
    ours, failed, elsewhere = [s for s in plan.stages.values() if s.kind == "train"][:3]
    ledger = Ledger(tmp_path)
    for stage, state in ((ours, "failed"), (ours, "done"), (failed, "failed")):
        ledger.end(ledger.begin(stage.key, "train", stage.label), state)
    history = ledger.history(plan.stages)
    assert spent(plan, history).untimed == 0
    assert spent(plan, history, {ours.key}).untimed == 0
    assert spent(plan, history, {ours.key, failed.key, elsewhere.key}).untimed == 2


def test_the_gpus_of_an_attempt_are_its_queues_where_a_plan_says_and_else_its_own(
    plan: Plan,
) -> None:
    here = Attempt("1", "k", "train", "train x", "log", "host", 1, 0.0, ran=1800.0, devices=2)
    queued = replace(here, batch="harness-train-1", index=0)
    strange = replace(queued, executor="not-installed")
    given, alone = Given(plan), Given(None)
    assert [given.devices(a) for a in (here, queued, strange)] == [2, 8, 2]
    assert [alone.devices(a) for a in (here, queued, strange)] == [2, 2, 2]
    assert [given.gpu_hours(a) for a in (here, queued)] == [1.0, 4.0]
    unknown = replace(here, devices=None)
    assert (given.devices(unknown), given.gpu_hours(unknown)) == (None, None)
    assert given.gpu_hours(replace(here, devices=0)) == 0.0


def test_the_time_of_an_attempt_goes_on_counting_after_a_requeue(tmp_path: Path) -> None:
    (tmp_path / "slurm" / "b" / "state").mkdir(parents=True)
    path = tmp_path / "slurm" / "b" / "state" / "k.json"
    first = Said(tmp_path, "b", True)
    first.begin("k")
    first.began["k"] -= 100  # it runs for 100 s
    first.say("k", "requeued")
    second = Said(tmp_path, "b", True)  # another process, later
    second.say("k", "requeued")  # asked to leave again before it has begun
    second.begin("k")
    second.began["k"] -= 10
    second.say("k", "running", done=1)
    assert json.loads(path.read_text())["ran"] == pytest.approx(110, abs=5)


def test_a_kinds_settings_are_the_common_ones_with_its_own(plan: Plan) -> None:
    dispatch = plan.study.settings.dispatch
    assert dispatch.slurm_for("train") == dispatch.slurm
    own = dispatch.slurm_for("evaluate")
    assert (own.gpus_per_node, own.minutes, own.cpus_per_task) == (1, 120, 12)
    assert dispatch.slurm_for("floor") == own  # measured as evaluations are


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dispatch.slurm.extra={reservatoin: x}", "unknown sbatch parameter 'reservatoin'"),
        ("dispatch.slurm.partitoin=gpu", "partition"),
        ("dispatch.slurm_by_kind={train: {gpus: 3}}", "gpus_per_node"),
        ("dispatch.slurm_by_kind={trian: {minutes: 3}}", "trian"),
        ("dispatch.retries={typo: 1}", "typo"),
    ],
)
def test_unknown_settings_are_refused_with_the_valid_ones(override: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load_study(SCALING, "imagenet256", [override])


def test_settings_do_not_reach_a_shell_and_not_a_second_line(tmp_path: Path) -> None:
    from harness.dispatch.slurm.batch import Batch, Growth
    from harness.dispatch.slurm.script import script
    from harness.spec.schema import SlurmSettings

    settings = SlurmSettings(partition="a;touch x", gpus_per_node=8, extra={"nice": 5})
    plan = make_plan(load_study(SCALING, "smoke"))
    stage = next(s for s in plan.stages.values() if s.kind == "train")
    batch = Batch("harness-train-1", "train", Growth(), [[plan.task(stage)]])
    text = script(tmp_path, batch, settings, "afterok:7_1")
    assert '#SBATCH --partition="a;touch x"' in text and "#SBATCH --nice=5" in text
    assert "#SBATCH --array=0-0%1" in text and "#SBATCH --ntasks-per-node=8" in text
    assert "#SBATCH --kill-on-invalid-dep=yes" in text and "wckey" not in text
    with pytest.raises(ValueError):
        SlurmSettings(partition="a\ntouch x")
